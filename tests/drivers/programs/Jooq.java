import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import java.sql.Connection;
import java.util.ArrayList;
import java.util.List;
import org.jooq.DSLContext;
import org.jooq.Query;
import org.jooq.Record;
import org.jooq.SQLDialect;
import org.jooq.exception.DataAccessException;
import org.jooq.impl.DSL;

/** jOOQ on a pool of Hikari's. */
public class Jooq implements Driver {
    private final HikariDataSource source;
    private final DSLContext db;

    Jooq() {
        SNIPPET
        System.out.println(title);
        this.source = source;
        this.db = db;
    }

    @Override
    public void run(String sql) {
        db.execute(sql);
    }

    private static List<Object[]> read(Iterable<Record> rows) {
        List<Object[]> all = new ArrayList<>();
        for (Record row : rows) {
            all.add(row.intoArray());
        }
        return all;
    }

    @Override
    public List<Object[]> rows(String sql, Object... values) {
        return read(db.fetch(sql, values));
    }

    @Override
    public String stop(String sql) throws InterruptedException {
        Query query = db.query(sql);
        Thread interrupter = new Thread(() -> {
            try {
                while (true) {
                    Thread.sleep(100);
                    query.cancel();
                }
            } catch (InterruptedException over) {
                return;
            }
        });
        interrupter.start();
        try {
            query.execute();
            return "no error";
        } catch (DataAccessException error) {
            return error.getMessage();
        } finally {
            interrupter.interrupt();
            interrupter.join();
        }
    }

    @Override
    public List<Object[]> pool(int size, String sql) throws Exception {
        List<Connection> pool = new ArrayList<>();
        List<Object[]> all = new ArrayList<>();
        for (int i = 0; i < size; i++) {
            pool.add(source.getConnection());
            all.addAll(read(DSL.using(pool.get(i), SQLDialect.SQLITE).fetch(sql)));
        }
        for (Connection connection : pool) {
            connection.close();
        }
        return all;
    }

    public static void main(String[] arguments) throws Exception {
        Jooq driver = new Jooq();
        driver.follow();
        driver.source.close();
    }
}
