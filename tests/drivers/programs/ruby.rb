# The gem sqlite3.
def connect
  SNIPPET
  [db, title]
end

def vector_of(values)
  floats = values.split.map(&:to_f)
  VECTOR
  vector
end

def number_of(value)
  value.include?(".") ? value.to_f : value.to_i
end

def line_of(row)
  row.join("|")
end

def floats_of(row)
  row[0].unpack("e*").map { |number| format("%g", number) }.join(" ")
end

def failed(db, sql)
  db.execute(sql)
  "no error"
rescue SQLite3::Exception => error
  error.message
end

def pool(size, sql)
  Array.new(size) { connect[0] }.map { |db| line_of(db.execute(sql)[0]) }
end

def step(db, word, *values, sql)
  case word
  when "run" then db.execute(sql) && []
  when "rows" then db.execute(sql).map { |row| line_of(row) }
  when "text" then db.execute(sql, values).map { |row| line_of(row) }
  when "number" then db.execute(sql, [number_of(values[0])]).map { |row| line_of(row) }
  when "vector" then db.execute(sql, [vector_of(values[0])]).map { |row| floats_of(row) }
  when "fail" then ["error: " + failed(db, sql)]
  when "pool" then pool(values[0].to_i, sql)
  end
end

db, title = connect
puts title
File.foreach("steps.tsv", chomp: true, encoding: "UTF-8") do |line|
  puts step(db, *line.split("\t"))
end
