# A call, and what must come of it; tests/conformance/README.md describes the cases.

require "google/protobuf/well_known_types"
require "google/rpc/error_details_pb"
require "grpc"
require "tmpdir"
require_relative "values"

class Case
  # What came of a call is not as expected.
  class Failed < StandardError; end

  # What the caller saw: chunks, or the one result, and the error that ended the call.
  Outcome = Struct.new(:values, :error)

  PATIENCE = 60 # seconds
  CODES = GRPC::Core::StatusCodes.constants.to_h { |name| [GRPC::Core::StatusCodes.const_get(name), name.to_s] }

  attr_reader :name

  def initialize(json)
    @json = json
    @name = json["name"]
    @expect = json["expect"]
  end

  # Makes the call. Returns why it is beyond a channel without options, or nil; raises Failed.
  def run(arbiter)
    Dir.mktmpdir do |folder|
      closed = File.join(folder, "closed")
      outcome = call(arbiter, request(closed))
      error = outcome.error
      if error.is_a?(GRPC::ResourceExhausted) && error.details.match?(/received message larger than max/i)
        next "grpc-core refuses messages above 4 MiB by itself; grpc.max_receive_message_length raises that"
      end

      check(outcome, closed)
    end
  end

  private

  def request(closed)
    args = @json["args"].map { |tagged| Values.write(tagged.key?("closed_file") ? { "string" => closed } : tagged) }
    kwargs = @json.fetch("kwargs", {}).transform_values { |tagged| Values.write(tagged) }
    Dirty::V1::ExecuteRequest.new(app: @json["app"], action: @json["action"], args: args, kwargs: kwargs)
  end

  def call(arbiter, request)
    deadline = Time.now + (@json.key?("timeout_ms") ? @json["timeout_ms"] / 1000.0 : PATIENCE)
    values = []
    if @json["method"] == "execute"
      values << arbiter.execute(request, deadline: deadline).result
    else
      follow(arbiter.execute_stream(request, deadline: deadline, return_op: true), values)
    end
    Outcome.new(values, nil)
  rescue GRPC::BadStatus => error
    Outcome.new(values, error)
  end

  def follow(operation, values)
    operation.execute.each do |response|
      values << response.chunk
      operation.cancel if values.size == @json["cancel_after"]
    end
  rescue GRPC::Cancelled
    raise unless values.size == @json["cancel_after"]
  end

  def check(outcome, closed)
    return check_error(outcome) if @expect.key?("error")
    raise Failed, outcome.error.message if outcome.error

    wanted = @expect["chunks"] || @expect["first_chunks"] || [@expect["result"]]
    wanted = wanted.map { |tagged| Values.comparable(Values.write(tagged)) }
    got = outcome.values.map { |value| Values.comparable(value) }
    demand(got == wanted, "got #{got.inspect[0, 200]}")
    appears(closed) if @json.key?("cancel_after")
  end

  def check_error(outcome)
    wanted = @expect["error"]
    error = outcome.error
    demand(error, "no error came")
    demand(CODES[error.code] == wanted["code"], error.message)
    info, traceback = details(error)
    # A deadline that passes here first is an error of gRPC itself.
    return if wanted["client_may_refuse"] && info.reason.empty?

    message = error.details.dup.force_encoding(Encoding::UTF_8)
    demand(info.reason == wanted["reason"], "the reason is #{info.reason}")
    demand(message.include?(wanted.fetch("message_contains", "")), "the message is #{message}")
    demand(traceback.include?(wanted.fetch("traceback_contains", "")), "the traceback is #{traceback}")
    type = info.metadata["exception_type"]
    demand([nil, type].include?(wanted["remote_type"]), "the type is #{type}")
    chunks = outcome.values.size
    demand([nil, chunks].include?(wanted["after_chunks"]), "it came after #{chunks} chunks")
  end

  # The ErrorInfo of an error, and its traceback.
  def details(error)
    found = error.to_rpc_status&.details.to_a
    info = found.filter_map { |detail| detail.unpack(Google::Rpc::ErrorInfo) }.first
    debug = found.filter_map { |detail| detail.unpack(Google::Rpc::DebugInfo) }.first
    [info || Google::Rpc::ErrorInfo.new, debug ? debug.stack_entries.to_a.join("\n") : ""]
  end

  # Waits for a file, which only its writer could announce better. Returns nil.
  def appears(path)
    limit = Process.clock_gettime(Process::CLOCK_MONOTONIC) + 2
    until File.exist?(path)
      demand(Process.clock_gettime(Process::CLOCK_MONOTONIC) < limit, "the generator was not closed within 2 s")
      sleep 0.01
    end
  end

  def demand(holds, otherwise)
    raise Failed, otherwise unless holds
  end
end
