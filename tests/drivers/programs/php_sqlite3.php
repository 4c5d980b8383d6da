<?php
// PHP's class SQLite3.
function connect(): array
{
    SNIPPET
    return [$db, $title];
}

function ask(SQLite3 $db, string $sql, mixed $value = null, int $type = SQLITE3_TEXT): array
{
    $statement = $db->prepare($sql);
    if (func_num_args() > 2) {
        $statement->bindValue(1, $value, $type);
    }
    $rows = $statement->execute();
    $all = [];
    while ($row = $rows->fetchArray(SQLITE3_NUM)) {
        $all[] = $row;
    }
    return $all;
}

function run(SQLite3 $db, string $sql): void
{
    $db->exec($sql);
}

function bound(SQLite3 $db, string $word, mixed $value, string $sql): array
{
    $types = ["text" => SQLITE3_TEXT, "vector" => SQLITE3_BLOB,
              "number" => is_int($value) ? SQLITE3_INTEGER : SQLITE3_FLOAT];
    return ask($db, $sql, $value, $types[$word]);
}

require "steps.php";
