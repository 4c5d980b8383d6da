package sqlite.rerank;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.util.Locale;
import org.sqlite.SQLiteConnection;
import org.sqlite.core.DB;

/** The SQLite extension rerank for connections of the driver org.xerial:sqlite-jdbc. */
public final class SqliteRerank {
    private static Path library;

    private SqliteRerank() {}

    /**
     * Loads the extension into a connection. Extensions are allowed for this one alone.
     *
     * @throws SQLException the jar has no library for this platform, or it does not load
     */
    public static void load(Connection connection) throws SQLException {
        DB database = connection.unwrap(SQLiteConnection.class).getDatabase();
        String path = loadablePath().toString();
        try {
            run(connection, path);
        } catch (SQLException refused) {
            if (!String.valueOf(refused.getMessage()).contains("not authorized")) {
                throw refused;
            }
            database.enable_load_extension(true);
            try {
                run(connection, path);
            } finally {
                database.enable_load_extension(false);
            }
        }
    }

    private static void run(Connection connection, String path) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement("SELECT load_extension(?)")) {
            statement.setString(1, path);
            statement.execute();
        }
    }

    /** The library's file, copied out of the jar once a process. */
    public static synchronized Path loadablePath() throws SQLException {
        if (library == null) {
            library = copyOut();
        }
        return library;
    }

    private static Path copyOut() throws SQLException {
        String platform = platform();
        String suffix = platform.startsWith("windows") ? "dll" : platform.startsWith("macos") ? "dylib" : "so";
        String resource = "/native/" + platform + "/rerank." + suffix;
        try (InputStream bytes = SqliteRerank.class.getResourceAsStream(resource)) {
            if (bytes == null) {
                throw new SQLException("sqlite-rerank has no library for this platform, " + platform);
            }
            Path folder = Files.createTempDirectory("sqlite-rerank");
            Path file = folder.resolve("rerank." + suffix);
            Files.copy(bytes, file, StandardCopyOption.REPLACE_EXISTING);
            folder.toFile().deleteOnExit();
            file.toFile().deleteOnExit();
            return file;
        } catch (IOException error) {
            throw new SQLException("sqlite-rerank: its library cannot be copied to a file", error);
        }
    }

    /** As the folders of the jar are called: linux-x86_64, linux-musl-aarch64, macos-aarch64, ... */
    private static String platform() {
        String name = System.getProperty("os.name").toLowerCase(Locale.ROOT);
        String machine = System.getProperty("os.arch").toLowerCase(Locale.ROOT);
        String system = name.contains("mac") ? "macos" : name.contains("win") ? "windows" : "linux";
        if (system.equals("linux") && isMusl()) {
            system = "linux-musl";
        }
        return system + "-" + (machine.equals("amd64") ? "x86_64" : machine.equals("arm64") ? "aarch64" : machine);
    }

    /** Whether this process runs on musl: its loader is in memory. */
    private static boolean isMusl() {
        try {
            return Files.readString(Path.of("/proc/self/maps")).contains("/ld-musl-");
        } catch (IOException | SecurityException unknown) {
            return false;
        }
    }

    /** A vector as the BLOB that SQL takes: float32, little-endian. */
    public static byte[] serializeFloat32(float[] vector) {
        ByteBuffer bytes = ByteBuffer.allocate(4 * vector.length).order(ByteOrder.LITTLE_ENDIAN);
        for (float number : vector) {
            bytes.putFloat(number);
        }
        return bytes.array();
    }
}
