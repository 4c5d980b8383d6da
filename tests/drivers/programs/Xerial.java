import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;

/** xerial's driver for JDBC, by itself. */
public class Xerial implements Driver {
    private final Connection db;
    private final String title;

    Xerial() throws SQLException {
        SNIPPET
        this.db = db;
        this.title = title;
    }

    @Override
    public void run(String sql) throws SQLException {
        try (Statement statement = db.createStatement()) {
            statement.execute(sql);
        }
    }

    private static List<Object[]> read(ResultSet rows) throws SQLException {
        List<Object[]> all = new ArrayList<>();
        while (rows.next()) {
            Object[] row = new Object[rows.getMetaData().getColumnCount()];
            for (int i = 0; i < row.length; i++) {
                row[i] = rows.getObject(i + 1);
            }
            all.add(row);
        }
        return all;
    }

    @Override
    public List<Object[]> rows(String sql, Object... values) throws SQLException {
        try (PreparedStatement statement = db.prepareStatement(sql)) {
            for (int i = 0; i < values.length; i++) {
                statement.setObject(i + 1, values[i]);
            }
            return read(statement.executeQuery());
        }
    }

    @Override
    public String stop(String sql) throws Exception {
        try (Statement statement = db.createStatement()) {
            Thread interrupter = new Thread(() -> {
                try {
                    while (true) {
                        Thread.sleep(100);
                        statement.cancel();
                    }
                } catch (InterruptedException | SQLException over) {
                    return;
                }
            });
            interrupter.start();
            try {
                statement.execute(sql);
                return "no error";
            } catch (SQLException error) {
                return error.getMessage();
            } finally {
                interrupter.interrupt();
                interrupter.join();
            }
        }
    }

    @Override
    public List<Object[]> pool(int size, String sql) throws SQLException {
        List<Xerial> pool = new ArrayList<>();
        List<Object[]> all = new ArrayList<>();
        for (int i = 0; i < size; i++) {
            pool.add(new Xerial());
            all.addAll(pool.get(i).rows(sql));
        }
        for (Xerial other : pool) {
            other.db.close();
        }
        return all;
    }

    public static void main(String[] arguments) throws Exception {
        Xerial driver = new Xerial();
        System.out.println(driver.title);
        driver.follow();
        driver.db.close();
    }
}
