# DBD::SQLite.
use strict;
use warnings;
use utf8;
use DBI qw(:sql_types);
binmode STDOUT, ":encoding(UTF-8)";

sub connected {
    SNIPPET
    return ($db, $title);
}

sub vector_of {
    my @floats = split / /, shift;
    VECTOR
    return $vector;
}

sub line_of { return join "|", @{$_[0]} }

sub floats_of { return join " ", unpack "f<*", $_[0][0] }

sub vectors {
    my ($db, $values, $sql) = @_;
    my $search = $db->prepare($sql);
    $search->bind_param(1, vector_of($values), SQL_BLOB);
    $search->execute;
    return @{$search->fetchall_arrayref};
}

sub failed {
    my ($db, $sql) = @_;
    eval { $db->selectall_arrayref($sql) };
    return $@ || "no error\n";
}

sub pool {
    my ($size, $sql) = @_;
    my @connections = map { (connected())[0] } 1 .. $size;
    return map { line_of($_->selectrow_arrayref($sql)) } @connections;
}

sub rows {
    my ($db, $sql, @values) = @_;
    return map { line_of($_) } @{$db->selectall_arrayref($sql, undef, @values)};
}

sub step {
    my ($db, $word, @values) = @_;
    my $sql = pop @values;
    if ($word eq "run") { $db->do($sql); return }
    if ($word eq "rows" || $word eq "text") { return rows($db, $sql, @values) }
    if ($word eq "number") { return rows($db, $sql, 0 + $values[0]) }
    if ($word eq "vector") { return map { floats_of($_) } vectors($db, @values, $sql) }
    if ($word eq "fail") { chomp(my $message = failed($db, $sql)); return "error: $message" }
    if ($word eq "pool") { return pool(@values, $sql) }
    return "$word?";
}

my ($db, $title) = connected();
print "$title\n";
open my $steps, "<:encoding(UTF-8)", "steps.tsv" or die $!;
while (my $line = <$steps>) {
    chomp $line;
    print "$_\n" for step($db, split /\t/, $line);
}
