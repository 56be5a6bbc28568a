package dev.dirtyd;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.dirtyd.proto.v1.Value;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

class ValuesTest {
    private static Object roundTrip(Object value) {
        return Values.decode(Values.encode(value, "value"));
    }

    private static String refusal(Object value) {
        return assertThrows(IllegalArgumentException.class, () -> Values.encode(value, "args[0]"))
                .getMessage();
    }

    @Test
    void whatIsSentComesBackAsItLeft() {
        Map<String, Object> map = new HashMap<>();
        map.put("", null);
        map.put("list", List.of());
        List<Object> all = Arrays.asList(
                null,
                true,
                1L,
                Long.MIN_VALUE,
                Long.MAX_VALUE,
                -0.0,
                Double.NaN,
                1e308,
                "",
                "\0 é 🦀",
                map,
                Tensor.of(new float[] {1, 2, 3, 4, 5, 6}, 2, 3));
        assertEquals(all, roundTrip(all));
        assertTrue(Arrays.equals(new byte[] {0, -1}, (byte[]) roundTrip(new byte[] {0, -1})));
    }

    @Test
    void otherIntegersAreIntegersAndFloatsAreDoubles() {
        Object[] numbers = {(byte) 1, (short) 2, 3, BigInteger.valueOf(4), 0.5f};
        assertEquals(List.of(1L, 2L, 3L, 4L, 0.5), roundTrip(numbers));
        assertEquals(Long.MIN_VALUE, roundTrip(BigInteger.valueOf(Long.MIN_VALUE)));
    }

    @Test
    void whatHasNoFormIsRefusedWithItsPlace() {
        Object nested = List.of(0, Map.of("rows", List.of(Path.of("/"))));
        assertTrue(
                refusal(nested).startsWith("args[0][1][\"rows\"][0]: sun.nio.fs.UnixPath has no form"),
                refusal(nested));
        assertTrue(refusal(Set.of(1)).contains("has no form"));
        assertTrue(refusal(BigDecimal.ONE).contains("java.math.BigDecimal has no form"));
        assertTrue(refusal(new float[1]).contains("float[] has no form as a Value; send Tensor.of(it)"));
        assertTrue(refusal(BigInteger.ONE.shiftLeft(63)).contains("does not fit in 64 bits"));
        assertTrue(refusal(Map.of(1, 2)).contains("the key 1 is no String"));
        assertTrue(refusal("a\ud83e").contains("lone surrogates"));
        assertTrue(refusal(Map.of("\udd80x", 1)).contains("lone surrogates"));
    }

    @Test
    void nestingEndsAt32Levels() {
        Object deep = 1L;
        for (int level = 0; level < 32; level++) {
            deep = level % 2 == 0 ? new ArrayList<>(List.of(deep)) : Map.of("k", deep);
        }
        assertEquals(deep, roundTrip(deep));
        assertTrue(refusal(List.of(deep)).endsWith("nested deeper than 32 levels"));
    }

    @Test
    void aMalformedValueIsAnError() {
        assertThrows(IllegalArgumentException.class, () -> Values.decode(Value.getDefaultInstance()));
        Value.Builder tensor = Value.newBuilder();
        tensor.getTensorValueBuilder().setDtype("float32").addShape(2);
        assertThrows(IllegalArgumentException.class, () -> Values.decode(tensor.build()));
    }

    @Test
    void tensorsAreReadAsTheArraysOfTheirType() {
        assertTrue(
                Arrays.equals(new float[] {1, 2}, Tensor.of(new float[] {1, 2}).floats()));
        assertTrue(Arrays.equals(
                new double[] {1, 2}, Tensor.of(new double[] {1, 2}).doubles()));
        assertTrue(Arrays.equals(new long[] {1, 2}, Tensor.of(new long[] {1, 2}).longs()));
        assertTrue(Arrays.equals(new int[] {1, 2}, Tensor.of(new int[] {1, 2}).ints()));
        assertTrue(
                Arrays.equals(new short[] {1, 2}, Tensor.of(new short[] {1, 2}).shorts()));
        assertTrue(Arrays.equals(
                new byte[] {1, 2}, Tensor.of(new byte[] {1, 2}, 2, 1).bytes()));
        assertEquals(1, Tensor.of(new int[] {1}).data().get(0), "little-endian");
        assertThrows(IllegalStateException.class, () -> Tensor.of(new int[] {1}).floats());
    }

    @Test
    void aTensorWhoseShapeAndDataDisagreeIsRefused() {
        assertThrows(IllegalArgumentException.class, () -> Tensor.of(new float[5], 2, 3));
        assertThrows(IllegalArgumentException.class, () -> Tensor.of(new float[1], -1, -1));
        assertThrows(IllegalArgumentException.class, () -> Tensor.of(new float[0], 1L << 32, 1L << 32));
        assertThrows(IllegalArgumentException.class, () -> new Tensor("int8", new long[] {2}, ByteBuffer.allocate(3)));
        assertThrows(IllegalArgumentException.class, () -> new Tensor("object", new long[0], ByteBuffer.allocate(8)));
    }
}
