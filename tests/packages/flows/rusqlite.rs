use rusqlite::{ffi::sqlite3_auto_extension, Connection};
use std::fs::read_to_string;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    unsafe { sqlite3_auto_extension(Some(sqlite_rerank::rerank_init)) };
    let db = Connection::open_in_memory()?;
    db.execute_batch(&read_to_string("flow.sql")?)?;
    let answer: String =
        db.query_row(&read_to_string("ask.sql")?, ["bats in the dark"], |row| row.get(0))?;
    println!("{answer}");
    Ok(())
}
