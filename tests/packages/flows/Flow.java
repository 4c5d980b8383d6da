import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.Statement;
import sqlite.rerank.SqliteRerank;

public class Flow {
    public static void main(String[] arguments) throws Exception {
        try (Connection db = DriverManager.getConnection("jdbc:sqlite::memory:")) {
            SqliteRerank.load(db);
            try (Statement statement = db.createStatement()) {
                for (String sql : Files.readString(Path.of("flow.sql")).split(";\n")) {
                    statement.execute(sql);
                }
            }
            try (PreparedStatement ask = db.prepareStatement(Files.readString(Path.of("ask.sql")))) {
                ask.setString(1, "bats in the dark");
                try (ResultSet rows = ask.executeQuery()) {
                    rows.next();
                    System.out.println(rows.getString(1));
                }
            }
        }
    }
}
