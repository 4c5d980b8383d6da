<?php
// PDO, which binds what execute() is handed as text.
function connect(): array
{
    SNIPPET
    return [$db, $title];
}

function ask(PDO $db, string $sql): array
{
    return $db->query($sql)->fetchAll(PDO::FETCH_NUM);
}

function run(PDO $db, string $sql): void
{
    $db->exec($sql);
}

function bound(PDO $db, string $word, mixed $value, string $sql): array
{
    $statement = $db->prepare($sql);
    if ($word == "vector") {
        $statement->bindValue(1, $value, PDO::PARAM_LOB);
        $statement->execute();
    } else {
        $statement->execute([$value]);
    }
    return $statement->fetchAll(PDO::FETCH_NUM);
}

require "steps.php";
