package dev.dirtyd.proto.v1;

import static io.grpc.MethodDescriptor.generateFullMethodName;

/**
 * <pre>
 * Arbiter runs actions of apps in pooled worker processes.
 * Every error carries a google.rpc.ErrorInfo with the domain "dirty.v1" and a
 * `reason`; docs/errors.md lists the reasons and says what the caller should do.
 * The timeout that the operator has configured bounds a call, and so does its
 * gRPC deadline, if that is earlier.
 * buf:lint:ignore SERVICE_SUFFIX
 * </pre>
 */
@io.grpc.stub.annotations.GrpcGenerated
public final class ArbiterGrpc {

  private ArbiterGrpc() {}

  public static final java.lang.String SERVICE_NAME = "dirty.v1.Arbiter";

  // Static method descriptors that strictly reflect the proto.
  private static volatile io.grpc.MethodDescriptor<dev.dirtyd.proto.v1.ExecuteRequest,
      dev.dirtyd.proto.v1.ExecuteResponse> getExecuteMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "Execute",
      requestType = dev.dirtyd.proto.v1.ExecuteRequest.class,
      responseType = dev.dirtyd.proto.v1.ExecuteResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<dev.dirtyd.proto.v1.ExecuteRequest,
      dev.dirtyd.proto.v1.ExecuteResponse> getExecuteMethod() {
    io.grpc.MethodDescriptor<dev.dirtyd.proto.v1.ExecuteRequest, dev.dirtyd.proto.v1.ExecuteResponse> getExecuteMethod;
    if ((getExecuteMethod = ArbiterGrpc.getExecuteMethod) == null) {
      synchronized (ArbiterGrpc.class) {
        if ((getExecuteMethod = ArbiterGrpc.getExecuteMethod) == null) {
          ArbiterGrpc.getExecuteMethod = getExecuteMethod =
              io.grpc.MethodDescriptor.<dev.dirtyd.proto.v1.ExecuteRequest, dev.dirtyd.proto.v1.ExecuteResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "Execute"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.dirtyd.proto.v1.ExecuteRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.dirtyd.proto.v1.ExecuteResponse.getDefaultInstance()))
              .setSchemaDescriptor(new ArbiterMethodDescriptorSupplier("Execute"))
              .build();
        }
      }
    }
    return getExecuteMethod;
  }

  private static volatile io.grpc.MethodDescriptor<dev.dirtyd.proto.v1.ExecuteRequest,
      dev.dirtyd.proto.v1.ExecuteStreamResponse> getExecuteStreamMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ExecuteStream",
      requestType = dev.dirtyd.proto.v1.ExecuteRequest.class,
      responseType = dev.dirtyd.proto.v1.ExecuteStreamResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.SERVER_STREAMING)
  public static io.grpc.MethodDescriptor<dev.dirtyd.proto.v1.ExecuteRequest,
      dev.dirtyd.proto.v1.ExecuteStreamResponse> getExecuteStreamMethod() {
    io.grpc.MethodDescriptor<dev.dirtyd.proto.v1.ExecuteRequest, dev.dirtyd.proto.v1.ExecuteStreamResponse> getExecuteStreamMethod;
    if ((getExecuteStreamMethod = ArbiterGrpc.getExecuteStreamMethod) == null) {
      synchronized (ArbiterGrpc.class) {
        if ((getExecuteStreamMethod = ArbiterGrpc.getExecuteStreamMethod) == null) {
          ArbiterGrpc.getExecuteStreamMethod = getExecuteStreamMethod =
              io.grpc.MethodDescriptor.<dev.dirtyd.proto.v1.ExecuteRequest, dev.dirtyd.proto.v1.ExecuteStreamResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.SERVER_STREAMING)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ExecuteStream"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.dirtyd.proto.v1.ExecuteRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  dev.dirtyd.proto.v1.ExecuteStreamResponse.getDefaultInstance()))
              .setSchemaDescriptor(new ArbiterMethodDescriptorSupplier("ExecuteStream"))
              .build();
        }
      }
    }
    return getExecuteStreamMethod;
  }

  /**
   * Creates a new async stub that supports all call types for the service
   */
  public static ArbiterStub newStub(io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<ArbiterStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<ArbiterStub>() {
        @java.lang.Override
        public ArbiterStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new ArbiterStub(channel, callOptions);
        }
      };
    return ArbiterStub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports all types of calls on the service
   */
  public static ArbiterBlockingV2Stub newBlockingV2Stub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<ArbiterBlockingV2Stub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<ArbiterBlockingV2Stub>() {
        @java.lang.Override
        public ArbiterBlockingV2Stub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new ArbiterBlockingV2Stub(channel, callOptions);
        }
      };
    return ArbiterBlockingV2Stub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports unary and streaming output calls on the service
   */
  public static ArbiterBlockingStub newBlockingStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<ArbiterBlockingStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<ArbiterBlockingStub>() {
        @java.lang.Override
        public ArbiterBlockingStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new ArbiterBlockingStub(channel, callOptions);
        }
      };
    return ArbiterBlockingStub.newStub(factory, channel);
  }

  /**
   * Creates a new ListenableFuture-style stub that supports unary calls on the service
   */
  public static ArbiterFutureStub newFutureStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<ArbiterFutureStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<ArbiterFutureStub>() {
        @java.lang.Override
        public ArbiterFutureStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new ArbiterFutureStub(channel, callOptions);
        }
      };
    return ArbiterFutureStub.newStub(factory, channel);
  }

  /**
   * <pre>
   * Arbiter runs actions of apps in pooled worker processes.
   * Every error carries a google.rpc.ErrorInfo with the domain "dirty.v1" and a
   * `reason`; docs/errors.md lists the reasons and says what the caller should do.
   * The timeout that the operator has configured bounds a call, and so does its
   * gRPC deadline, if that is earlier.
   * buf:lint:ignore SERVICE_SUFFIX
   * </pre>
   */
  public interface AsyncService {

    /**
     * <pre>
     * Execute runs one action and returns its result. It refuses an action that
     * streams with FAILED_PRECONDITION, reason ACTION_STREAMS.
     * buf:lint:ignore RPC_REQUEST_RESPONSE_UNIQUE
     * </pre>
     */
    default void execute(dev.dirtyd.proto.v1.ExecuteRequest request,
        io.grpc.stub.StreamObserver<dev.dirtyd.proto.v1.ExecuteResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getExecuteMethod(), responseObserver);
    }

    /**
     * <pre>
     * ExecuteStream runs one action and sends each chunk as soon as the action
     * produces it. The action pauses while the caller does not read, and is closed
     * when the caller cancels. The result of an action that does not stream is
     * sent as a single chunk.
     * buf:lint:ignore RPC_REQUEST_STANDARD_NAME
     * buf:lint:ignore RPC_REQUEST_RESPONSE_UNIQUE
     * </pre>
     */
    default void executeStream(dev.dirtyd.proto.v1.ExecuteRequest request,
        io.grpc.stub.StreamObserver<dev.dirtyd.proto.v1.ExecuteStreamResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getExecuteStreamMethod(), responseObserver);
    }
  }

  /**
   * Base class for the server implementation of the service Arbiter.
   * <pre>
   * Arbiter runs actions of apps in pooled worker processes.
   * Every error carries a google.rpc.ErrorInfo with the domain "dirty.v1" and a
   * `reason`; docs/errors.md lists the reasons and says what the caller should do.
   * The timeout that the operator has configured bounds a call, and so does its
   * gRPC deadline, if that is earlier.
   * buf:lint:ignore SERVICE_SUFFIX
   * </pre>
   */
  public static abstract class ArbiterImplBase
      implements io.grpc.BindableService, AsyncService {

    @java.lang.Override public final io.grpc.ServerServiceDefinition bindService() {
      return ArbiterGrpc.bindService(this);
    }
  }

  /**
   * A stub to allow clients to do asynchronous rpc calls to service Arbiter.
   * <pre>
   * Arbiter runs actions of apps in pooled worker processes.
   * Every error carries a google.rpc.ErrorInfo with the domain "dirty.v1" and a
   * `reason`; docs/errors.md lists the reasons and says what the caller should do.
   * The timeout that the operator has configured bounds a call, and so does its
   * gRPC deadline, if that is earlier.
   * buf:lint:ignore SERVICE_SUFFIX
   * </pre>
   */
  public static final class ArbiterStub
      extends io.grpc.stub.AbstractAsyncStub<ArbiterStub> {
    private ArbiterStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected ArbiterStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new ArbiterStub(channel, callOptions);
    }

    /**
     * <pre>
     * Execute runs one action and returns its result. It refuses an action that
     * streams with FAILED_PRECONDITION, reason ACTION_STREAMS.
     * buf:lint:ignore RPC_REQUEST_RESPONSE_UNIQUE
     * </pre>
     */
    public void execute(dev.dirtyd.proto.v1.ExecuteRequest request,
        io.grpc.stub.StreamObserver<dev.dirtyd.proto.v1.ExecuteResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getExecuteMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * ExecuteStream runs one action and sends each chunk as soon as the action
     * produces it. The action pauses while the caller does not read, and is closed
     * when the caller cancels. The result of an action that does not stream is
     * sent as a single chunk.
     * buf:lint:ignore RPC_REQUEST_STANDARD_NAME
     * buf:lint:ignore RPC_REQUEST_RESPONSE_UNIQUE
     * </pre>
     */
    public void executeStream(dev.dirtyd.proto.v1.ExecuteRequest request,
        io.grpc.stub.StreamObserver<dev.dirtyd.proto.v1.ExecuteStreamResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncServerStreamingCall(
          getChannel().newCall(getExecuteStreamMethod(), getCallOptions()), request, responseObserver);
    }
  }

  /**
   * A stub to allow clients to do synchronous rpc calls to service Arbiter.
   * <pre>
   * Arbiter runs actions of apps in pooled worker processes.
   * Every error carries a google.rpc.ErrorInfo with the domain "dirty.v1" and a
   * `reason`; docs/errors.md lists the reasons and says what the caller should do.
   * The timeout that the operator has configured bounds a call, and so does its
   * gRPC deadline, if that is earlier.
   * buf:lint:ignore SERVICE_SUFFIX
   * </pre>
   */
  public static final class ArbiterBlockingV2Stub
      extends io.grpc.stub.AbstractBlockingStub<ArbiterBlockingV2Stub> {
    private ArbiterBlockingV2Stub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected ArbiterBlockingV2Stub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new ArbiterBlockingV2Stub(channel, callOptions);
    }

    /**
     * <pre>
     * Execute runs one action and returns its result. It refuses an action that
     * streams with FAILED_PRECONDITION, reason ACTION_STREAMS.
     * buf:lint:ignore RPC_REQUEST_RESPONSE_UNIQUE
     * </pre>
     */
    public dev.dirtyd.proto.v1.ExecuteResponse execute(dev.dirtyd.proto.v1.ExecuteRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getExecuteMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * ExecuteStream runs one action and sends each chunk as soon as the action
     * produces it. The action pauses while the caller does not read, and is closed
     * when the caller cancels. The result of an action that does not stream is
     * sent as a single chunk.
     * buf:lint:ignore RPC_REQUEST_STANDARD_NAME
     * buf:lint:ignore RPC_REQUEST_RESPONSE_UNIQUE
     * </pre>
     */
    @io.grpc.ExperimentalApi("https://github.com/grpc/grpc-java/issues/10918")
    public io.grpc.stub.BlockingClientCall<?, dev.dirtyd.proto.v1.ExecuteStreamResponse>
        executeStream(dev.dirtyd.proto.v1.ExecuteRequest request) {
      return io.grpc.stub.ClientCalls.blockingV2ServerStreamingCall(
          getChannel(), getExecuteStreamMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do limited synchronous rpc calls to service Arbiter.
   * <pre>
   * Arbiter runs actions of apps in pooled worker processes.
   * Every error carries a google.rpc.ErrorInfo with the domain "dirty.v1" and a
   * `reason`; docs/errors.md lists the reasons and says what the caller should do.
   * The timeout that the operator has configured bounds a call, and so does its
   * gRPC deadline, if that is earlier.
   * buf:lint:ignore SERVICE_SUFFIX
   * </pre>
   */
  public static final class ArbiterBlockingStub
      extends io.grpc.stub.AbstractBlockingStub<ArbiterBlockingStub> {
    private ArbiterBlockingStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected ArbiterBlockingStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new ArbiterBlockingStub(channel, callOptions);
    }

    /**
     * <pre>
     * Execute runs one action and returns its result. It refuses an action that
     * streams with FAILED_PRECONDITION, reason ACTION_STREAMS.
     * buf:lint:ignore RPC_REQUEST_RESPONSE_UNIQUE
     * </pre>
     */
    public dev.dirtyd.proto.v1.ExecuteResponse execute(dev.dirtyd.proto.v1.ExecuteRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getExecuteMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * ExecuteStream runs one action and sends each chunk as soon as the action
     * produces it. The action pauses while the caller does not read, and is closed
     * when the caller cancels. The result of an action that does not stream is
     * sent as a single chunk.
     * buf:lint:ignore RPC_REQUEST_STANDARD_NAME
     * buf:lint:ignore RPC_REQUEST_RESPONSE_UNIQUE
     * </pre>
     */
    public java.util.Iterator<dev.dirtyd.proto.v1.ExecuteStreamResponse> executeStream(
        dev.dirtyd.proto.v1.ExecuteRequest request) {
      return io.grpc.stub.ClientCalls.blockingServerStreamingCall(
          getChannel(), getExecuteStreamMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do ListenableFuture-style rpc calls to service Arbiter.
   * <pre>
   * Arbiter runs actions of apps in pooled worker processes.
   * Every error carries a google.rpc.ErrorInfo with the domain "dirty.v1" and a
   * `reason`; docs/errors.md lists the reasons and says what the caller should do.
   * The timeout that the operator has configured bounds a call, and so does its
   * gRPC deadline, if that is earlier.
   * buf:lint:ignore SERVICE_SUFFIX
   * </pre>
   */
  public static final class ArbiterFutureStub
      extends io.grpc.stub.AbstractFutureStub<ArbiterFutureStub> {
    private ArbiterFutureStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected ArbiterFutureStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new ArbiterFutureStub(channel, callOptions);
    }

    /**
     * <pre>
     * Execute runs one action and returns its result. It refuses an action that
     * streams with FAILED_PRECONDITION, reason ACTION_STREAMS.
     * buf:lint:ignore RPC_REQUEST_RESPONSE_UNIQUE
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<dev.dirtyd.proto.v1.ExecuteResponse> execute(
        dev.dirtyd.proto.v1.ExecuteRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getExecuteMethod(), getCallOptions()), request);
    }
  }

  private static final int METHODID_EXECUTE = 0;
  private static final int METHODID_EXECUTE_STREAM = 1;

  private static final class MethodHandlers<Req, Resp> implements
      io.grpc.stub.ServerCalls.UnaryMethod<Req, Resp>,
      io.grpc.stub.ServerCalls.ServerStreamingMethod<Req, Resp>,
      io.grpc.stub.ServerCalls.ClientStreamingMethod<Req, Resp>,
      io.grpc.stub.ServerCalls.BidiStreamingMethod<Req, Resp> {
    private final AsyncService serviceImpl;
    private final int methodId;

    MethodHandlers(AsyncService serviceImpl, int methodId) {
      this.serviceImpl = serviceImpl;
      this.methodId = methodId;
    }

    @java.lang.Override
    @java.lang.SuppressWarnings("unchecked")
    public void invoke(Req request, io.grpc.stub.StreamObserver<Resp> responseObserver) {
      switch (methodId) {
        case METHODID_EXECUTE:
          serviceImpl.execute((dev.dirtyd.proto.v1.ExecuteRequest) request,
              (io.grpc.stub.StreamObserver<dev.dirtyd.proto.v1.ExecuteResponse>) responseObserver);
          break;
        case METHODID_EXECUTE_STREAM:
          serviceImpl.executeStream((dev.dirtyd.proto.v1.ExecuteRequest) request,
              (io.grpc.stub.StreamObserver<dev.dirtyd.proto.v1.ExecuteStreamResponse>) responseObserver);
          break;
        default:
          throw new AssertionError();
      }
    }

    @java.lang.Override
    @java.lang.SuppressWarnings("unchecked")
    public io.grpc.stub.StreamObserver<Req> invoke(
        io.grpc.stub.StreamObserver<Resp> responseObserver) {
      switch (methodId) {
        default:
          throw new AssertionError();
      }
    }
  }

  public static final io.grpc.ServerServiceDefinition bindService(AsyncService service) {
    return io.grpc.ServerServiceDefinition.builder(getServiceDescriptor())
        .addMethod(
          getExecuteMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              dev.dirtyd.proto.v1.ExecuteRequest,
              dev.dirtyd.proto.v1.ExecuteResponse>(
                service, METHODID_EXECUTE)))
        .addMethod(
          getExecuteStreamMethod(),
          io.grpc.stub.ServerCalls.asyncServerStreamingCall(
            new MethodHandlers<
              dev.dirtyd.proto.v1.ExecuteRequest,
              dev.dirtyd.proto.v1.ExecuteStreamResponse>(
                service, METHODID_EXECUTE_STREAM)))
        .build();
  }

  private static abstract class ArbiterBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoFileDescriptorSupplier, io.grpc.protobuf.ProtoServiceDescriptorSupplier {
    ArbiterBaseDescriptorSupplier() {}

    @java.lang.Override
    public com.google.protobuf.Descriptors.FileDescriptor getFileDescriptor() {
      return dev.dirtyd.proto.v1.ArbiterOuterClass.getDescriptor();
    }

    @java.lang.Override
    public com.google.protobuf.Descriptors.ServiceDescriptor getServiceDescriptor() {
      return getFileDescriptor().findServiceByName("Arbiter");
    }
  }

  private static final class ArbiterFileDescriptorSupplier
      extends ArbiterBaseDescriptorSupplier {
    ArbiterFileDescriptorSupplier() {}
  }

  private static final class ArbiterMethodDescriptorSupplier
      extends ArbiterBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoMethodDescriptorSupplier {
    private final java.lang.String methodName;

    ArbiterMethodDescriptorSupplier(java.lang.String methodName) {
      this.methodName = methodName;
    }

    @java.lang.Override
    public com.google.protobuf.Descriptors.MethodDescriptor getMethodDescriptor() {
      return getServiceDescriptor().findMethodByName(methodName);
    }
  }

  private static volatile io.grpc.ServiceDescriptor serviceDescriptor;

  public static io.grpc.ServiceDescriptor getServiceDescriptor() {
    io.grpc.ServiceDescriptor result = serviceDescriptor;
    if (result == null) {
      synchronized (ArbiterGrpc.class) {
        result = serviceDescriptor;
        if (result == null) {
          serviceDescriptor = result = io.grpc.ServiceDescriptor.newBuilder(SERVICE_NAME)
              .setSchemaDescriptor(new ArbiterFileDescriptorSupplier())
              .addMethod(getExecuteMethod())
              .addMethod(getExecuteStreamMethod())
              .build();
        }
      }
    }
    return result;
  }
}
