package dev.dirtyd;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Map;

/**
 * An n-dimensional array of numbers: in Python a numpy array. Immutable. {@code Tensor.of(floats, 2, 3)} makes one,
 * {@code tensor.floats()} reads it, in C order: the last dimension varies fastest. Unsigned elements have the bits of
 * the signed type of their size; what has no Java type (float16, complex) is read from {@link #data}.
 */
public final class Tensor {
    private static final Map<String, Integer> SIZES = Map.ofEntries(
            Map.entry("bool", 1),
            Map.entry("int8", 1),
            Map.entry("uint8", 1),
            Map.entry("int16", 2),
            Map.entry("uint16", 2),
            Map.entry("float16", 2),
            Map.entry("int32", 4),
            Map.entry("uint32", 4),
            Map.entry("float32", 4),
            Map.entry("int64", 8),
            Map.entry("uint64", 8),
            Map.entry("float64", 8),
            Map.entry("complex64", 8),
            Map.entry("complex128", 16));

    private final String dtype;
    private final long[] shape;
    private final ByteBuffer data;

    /**
     * A tensor of any dtype.
     *
     * @param dtype numpy's name of it
     * @param shape the length of each dimension, outermost first; empty for a scalar
     * @param data the elements, little-endian, which are not copied and not to be changed afterwards
     * @throws IllegalArgumentException if they do not fit together
     */
    public Tensor(String dtype, long[] shape, ByteBuffer data) {
        this.dtype = dtype;
        this.shape = shape.clone();
        this.data = data.slice().asReadOnlyBuffer();
        Integer size = SIZES.get(dtype);
        if (size == null) {
            throw new IllegalArgumentException("malformed Tensor: unknown dtype \"" + dtype + "\"");
        }
        if (elements(shape) != data.remaining() / size || data.remaining() % size != 0) {
            throw new IllegalArgumentException("malformed Tensor: " + data.remaining() + " bytes for shape "
                    + Arrays.toString(shape) + " of " + dtype);
        }
    }

    /** The product of the dimensions; -1 if one is negative or they are too many to be true. */
    private static long elements(long[] shape) {
        long product = 1;
        for (long length : shape) {
            if (length < 0 || Math.multiplyHigh(product, length) != 0 || product * length < 0) {
                return -1;
            }
            product *= length;
        }
        return product;
    }

    /** A tensor of float32; without a shape it has one dimension. So have all of these. */
    public static Tensor of(float[] values, long... shape) {
        ByteBuffer data = allocate(values.length, Float.BYTES);
        data.asFloatBuffer().put(values);
        return new Tensor("float32", shapeOf(values.length, shape), data);
    }

    /** A tensor of float64. */
    public static Tensor of(double[] values, long... shape) {
        ByteBuffer data = allocate(values.length, Double.BYTES);
        data.asDoubleBuffer().put(values);
        return new Tensor("float64", shapeOf(values.length, shape), data);
    }

    /** A tensor of int64. */
    public static Tensor of(long[] values, long... shape) {
        ByteBuffer data = allocate(values.length, Long.BYTES);
        data.asLongBuffer().put(values);
        return new Tensor("int64", shapeOf(values.length, shape), data);
    }

    /** A tensor of int32. */
    public static Tensor of(int[] values, long... shape) {
        ByteBuffer data = allocate(values.length, Integer.BYTES);
        data.asIntBuffer().put(values);
        return new Tensor("int32", shapeOf(values.length, shape), data);
    }

    /** A tensor of int16. */
    public static Tensor of(short[] values, long... shape) {
        ByteBuffer data = allocate(values.length, Short.BYTES);
        data.asShortBuffer().put(values);
        return new Tensor("int16", shapeOf(values.length, shape), data);
    }

    /** A tensor of uint8. */
    public static Tensor of(byte[] values, long... shape) {
        return new Tensor("uint8", shapeOf(values.length, shape), ByteBuffer.wrap(values.clone()));
    }

    private static ByteBuffer allocate(int count, int size) {
        return ByteBuffer.allocate(Math.multiplyExact(count, size)).order(ByteOrder.LITTLE_ENDIAN);
    }

    private static long[] shapeOf(int length, long[] shape) {
        return shape.length == 0 ? new long[] {length} : shape;
    }

    /** The type of one element, as numpy names it. */
    public String dtype() {
        return dtype;
    }

    /** The length of each dimension, outermost first. */
    public long[] shape() {
        return shape.clone();
    }

    /** The elements, little-endian; read-only. */
    public ByteBuffer data() {
        return data.duplicate().order(ByteOrder.LITTLE_ENDIAN);
    }

    /** The elements of a float32. */
    public float[] floats() {
        float[] values = new float[count("float32")];
        data().asFloatBuffer().get(values);
        return values;
    }

    /** The elements of a float64. */
    public double[] doubles() {
        double[] values = new double[count("float64")];
        data().asDoubleBuffer().get(values);
        return values;
    }

    /** The elements of an int64 or uint64. */
    public long[] longs() {
        long[] values = new long[count("int64", "uint64")];
        data().asLongBuffer().get(values);
        return values;
    }

    /** The elements of an int32 or uint32. */
    public int[] ints() {
        int[] values = new int[count("int32", "uint32")];
        data().asIntBuffer().get(values);
        return values;
    }

    /** The elements of an int16 or uint16. */
    public short[] shorts() {
        short[] values = new short[count("int16", "uint16")];
        data().asShortBuffer().get(values);
        return values;
    }

    /** The elements of a uint8, int8 or bool (0 and 1). */
    public byte[] bytes() {
        byte[] values = new byte[count("uint8", "int8", "bool")];
        data().get(values);
        return values;
    }

    private int count(String... fit) {
        if (!Arrays.asList(fit).contains(dtype)) {
            throw new IllegalStateException("a Tensor of " + dtype + " is not read as " + String.join(" or ", fit));
        }
        return data.remaining() / SIZES.get(dtype);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Tensor tensor
                && dtype.equals(tensor.dtype)
                && Arrays.equals(shape, tensor.shape)
                && data.equals(tensor.data);
    }

    @Override
    public int hashCode() {
        return 31 * (31 * dtype.hashCode() + Arrays.hashCode(shape)) + data.hashCode();
    }

    @Override
    public String toString() {
        return "Tensor(" + dtype + Arrays.toString(shape) + ")";
    }
}
