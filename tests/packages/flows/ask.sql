SELECT title || ' ' || rerank_version() || ' ' || substr(hex(embed('bats')), 1, 32) FROM ix(?) ORDER BY relevance DESC LIMIT 1
