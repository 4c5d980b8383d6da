# Tcl's own package. Its parameters are variables, so the programs' ? becomes one.
encoding system utf-8

proc connect {} {
    SNIPPET
    return $title
}

proc vector_of {floats} {
    VECTOR
    return $vector
}

proc line_of {row} {
    return [join $row "|"]
}

# The rows, each as a list.
proc rows {db sql {value {}}} {
    set all {}
    $db eval [string map {? $value} $sql] row {
        set cells {}
        foreach name $row(*) {lappend cells $row($name)}
        lappend all $cells
    }
    return $all
}

proc vectors {db sql values} {
    set value [vector_of $values]
    set lines {}
    foreach blob [$db eval [string map {? @value} $sql]] {
        binary scan $blob r* floats
        lappend lines [join [lmap number $floats {format %g $number}] " "]
    }
    return $lines
}

proc pool {size sql} {
    set lines {}
    for {set i 0} {$i < $size} {incr i} {
        rename db first$i
        connect
        lappend lines [line_of [lindex [rows db $sql] 0]]
    }
    return $lines
}

proc step {word values sql} {
    switch $word {
        run {db eval $sql; return}
        rows - text {return [lmap row [rows db $sql {*}$values] {line_of $row}]}
        number {return [lmap row [rows db $sql [expr {0 + $values}]] {line_of $row}]}
        vector {return [vectors db $sql [lindex $values 0]]}
        fail {return [list "error: [expr {[catch {db eval $sql} message] ? $message : "none"}]"]}
        pool {return [pool $values $sql]}
    }
}

puts [connect]
set file [open steps.tsv]
while {[gets $file line] >= 0} {
    set fields [split $line "\t"]
    foreach text [step [lindex $fields 0] [lrange $fields 1 end-1] [lindex $fields end]] {
        puts $text
    }
}
