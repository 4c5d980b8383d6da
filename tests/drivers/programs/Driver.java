import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** What the programs in Java share: follow() does what steps.tsv says, by a driver. */
interface Driver {
    void run(String sql) throws Exception;

    List<Object[]> rows(String sql, Object... values) throws Exception;

    /** Runs it, interrupted from another thread until it is over: its message then. */
    String stop(String sql) throws Exception;

    List<Object[]> pool(int size, String sql) throws Exception;

    static byte[] vectorOf(String values) {
        String[] texts = values.split(" ");
        float[] floats = new float[texts.length];
        for (int i = 0; i < floats.length; i++) {
            floats[i] = Float.parseFloat(texts[i]);
        }
        VECTOR
        return vector.array();
    }

    static String floatsOf(byte[] blob) {
        FloatBuffer floats = ByteBuffer.wrap(blob).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer();
        StringBuilder line = new StringBuilder();
        while (floats.hasRemaining()) {
            String number = Float.toString(floats.get());
            line.append(line.length() > 0 ? " " : "").append(number.replaceAll("\\.0$", ""));
        }
        return line.toString();
    }

    static String lineOf(Object[] row) {
        List<String> cells = new ArrayList<>();
        for (Object cell : row) {
            cells.add(cell instanceof byte[] ? floatsOf((byte[]) cell) : String.valueOf(cell));
        }
        return String.join("|", cells);
    }

    static Object numberOf(String value) {
        return value.contains(".") ? (Object) Double.valueOf(value) : Integer.valueOf(value);
    }

    default List<Object[]> step(String[] words) throws Exception {
        String sql = words[words.length - 1];
        switch (words[0]) {
            case "rows": return rows(sql);
            case "text": return rows(sql, words[1]);
            case "number": return rows(sql, numberOf(words[1]));
            case "vector": return rows(sql, vectorOf(words[1]));
            case "pool": return pool(Integer.parseInt(words[1]), sql);
            case "fail": return line("error: " + failed(sql));
            case "stop":
                String message = stop(sql);
                return line(message.contains("nterrupt") ? "stopped" : message);
            default:
                run(sql);
                return List.of();
        }
    }

    static List<Object[]> line(String text) {
        List<Object[]> lines = new ArrayList<>();
        lines.add(new Object[] {text});
        return lines;
    }

    default String failed(String sql) {
        try {
            run(sql);
            return "no error";
        } catch (Exception error) {
            return error.getMessage();
        }
    }

    default void follow() throws Exception {
        for (String line : Files.readAllLines(Path.of("steps.tsv"))) {
            for (Object[] row : step(line.split("\t"))) {
                System.out.println(lineOf(row));
            }
        }
    }
}
