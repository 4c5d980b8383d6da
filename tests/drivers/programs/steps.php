<?php
// steps.php: what the programs in PHP share: does what steps.tsv says, by their connect(), run(),
// ask() and bound().
function vector_of(string $values): string
{
    $floats = array_map("floatval", explode(" ", $values));
    VECTOR
    return $vector;
}

function line_of(array $row): string
{
    return implode("|", $row);
}

function floats_of(array $row): string
{
    return implode(" ", unpack("g*", $row[0]));
}

function failed(object $db, string $sql): string
{
    try {
        ask($db, $sql);
        return "no error";
    } catch (Exception $error) {
        return $error->getMessage();
    }
}

function pool(int $size, string $sql): array
{
    $connections = array_map(fn() => connect()[0], range(1, $size));
    return array_map(fn($db) => line_of(ask($db, $sql)[0]), $connections);
}

function step(object $db, string $word, string ...$values): array
{
    $sql = end($values);
    switch ($word) {
        case "run":
            run($db, $sql);
            return [];
        case "rows":
            return array_map("line_of", ask($db, $sql));
        case "text":
            return array_map("line_of", bound($db, $word, $values[0], $sql));
        case "number":
            return array_map("line_of", bound($db, $word, 0 + $values[0], $sql));
        case "vector":
            return array_map("floats_of", bound($db, $word, vector_of($values[0]), $sql));
        case "fail":
            return ["error: " . failed($db, $sql)];
        case "pool":
            return pool((int) $values[0], $sql);
    }
    return ["$word?"];
}

[$db, $title] = connect();
echo $title, "\n";
foreach (file("steps.tsv", FILE_IGNORE_NEW_LINES) as $line) {
    foreach (step($db, ...explode("\t", $line)) as $text) {
        echo $text, "\n";
    }
}
