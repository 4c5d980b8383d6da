//! sqlx: a pool, whose connections have a thread each.
use sqlx::sqlite::{Sqlite, SqliteArguments, SqliteConnectOptions, SqlitePoolOptions, SqliteRow};
use sqlx::{query::Query, Row, SqlitePool};
use std::sync::{atomic::AtomicBool, atomic::Ordering::Relaxed, Arc};
use std::{error::Error, fs, thread, time::Duration};

type Lines = Result<Vec<String>, Box<dyn Error>>;
type Asked = Query<'static, Sqlite, SqliteArguments>;

fn cell(row: &SqliteRow, i: usize) -> String {
    if let Ok(number) = row.try_get::<i64, _>(i) {
        return number.to_string();
    }
    if let Ok(text) = row.try_get::<String, _>(i) {
        return text;
    }
    let blob: Vec<u8> = row.get(i);
    let floats = blob.chunks(4).map(|four| f32::from_le_bytes(four.try_into().unwrap()));
    floats.map(|number| number.to_string()).collect::<Vec<_>>().join(" ")
}

fn line(row: &SqliteRow) -> String {
    (0..row.len()).map(|i| cell(row, i)).collect::<Vec<_>>().join("|")
}

async fn rows(db: &SqlitePool, asked: Asked) -> Lines {
    Ok(asked.fetch_all(db).await?.iter().map(line).collect())
}

fn bind_number(asked: Asked, value: &str) -> Asked {
    match value.parse::<i64>() {
        Ok(whole) => asked.bind(whole),
        Err(_) => asked.bind(value.parse::<f64>().unwrap()),
    }
}

fn vector(values: &str) -> Vec<u8> {
    let floats: Vec<f32> = values.split(' ').map(|value| value.parse().unwrap()).collect();
    VECTOR
    vector
}

/// A future that is dropped leaves its statement running: SQLite's own interrupt ends it.
async fn stop(db: &SqlitePool, sql: &'static str) -> Lines {
    let mut connection = db.acquire().await?;
    let handle = connection.lock_handle().await?.as_raw_handle().as_ptr() as usize;
    let over = Arc::new(AtomicBool::new(false));
    let seen = over.clone();
    let interrupter = thread::spawn(move || {
        while !seen.load(Relaxed) {
            thread::sleep(Duration::from_millis(100));
            unsafe { libsqlite3_sys::sqlite3_interrupt(handle as *mut _) };
        }
    });
    let result = sqlx::query(sql).execute(&mut *connection).await;
    over.store(true, Relaxed);
    interrupter.join().unwrap();
    match result {
        Err(error) if error.to_string().contains("interrupted") => Ok(vec!["stopped".into()]),
        other => Ok(vec![format!("{other:?}")]),
    }
}

async fn pool(db: &SqlitePool, size: usize, sql: &'static str) -> Lines {
    let (mut held, mut lines) = (vec![], vec![]);
    for _ in 0..size {
        held.push(db.acquire().await?);
    }
    for connection in &mut held {
        lines.push(line(&sqlx::query(sql).fetch_one(&mut **connection).await?));
    }
    Ok(lines)
}

async fn step(db: &SqlitePool, words: &[&'static str]) -> Lines {
    match *words {
        ["run", sql] => sqlx::query(sql).execute(db).await.map(|_| Ok(vec![]))?,
        ["rows", sql] => rows(db, sqlx::query(sql)).await,
        ["text", value, sql] => rows(db, sqlx::query(sql).bind(value)).await,
        ["number", value, sql] => rows(db, bind_number(sqlx::query(sql), value)).await,
        ["vector", values, sql] => rows(db, sqlx::query(sql).bind(vector(values))).await,
        ["fail", sql] => match rows(db, sqlx::query(sql)).await {
            Err(error) => Ok(vec![format!("error: {error}")]),
            Ok(_) => Ok(vec!["no error".into()]),
        },
        ["stop", sql] => stop(db, sql).await,
        ["pool", size, sql] => pool(db, size.parse()?, sql).await,
        _ => Ok(vec![format!("{words:?}?")]),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    SNIPPET
    println!("{title}");
    // A text that is made at run time is refused: these live until the end.
    for line in fs::read_to_string("steps.tsv")?.leak().lines() {
        for text in step(&db, &line.split('\t').collect::<Vec<_>>()).await? {
            println!("{text}");
        }
    }
    db.close().await;
    Ok(())
}
