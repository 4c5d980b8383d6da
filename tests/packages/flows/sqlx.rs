use libsqlite3_sys::sqlite3_auto_extension;
use sqlx::{sqlite::SqlitePoolOptions, Executor, Row};
use std::fs::read_to_string;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    unsafe { sqlite3_auto_extension(Some(sqlite_rerank::rerank_init)) };
    let pool = SqlitePoolOptions::new().max_connections(1).connect("sqlite::memory:").await?;
    let flow = read_to_string("flow.sql")?;
    let ask = read_to_string("ask.sql")?;
    pool.execute(flow.as_str()).await?;
    let row = sqlx::query(&ask).bind("bats in the dark").fetch_one(&pool).await?;
    println!("{}", row.get::<String, _>(0));
    Ok(())
}
