// oracle.js: token ids as Hugging Face's tokenizers gives them (npm: @anush008/tokenizers).
//
//     node oracle.js TOKENIZER.json TEXTS.json IDS.json     run where the package is installed
"use strict";
const fs = require("fs");
const { Tokenizer } = require(require.resolve("@anush008/tokenizers", { paths: [process.cwd()] }));

async function main([tokenizerPath, textsPath, idsPath]) {
  const tokenizer = Tokenizer.fromString(fs.readFileSync(tokenizerPath, "utf8"));
  const texts = JSON.parse(fs.readFileSync(textsPath, "utf8"));
  const ids = [];
  for (let i = 0; i < texts.length; i += 5000)
    const encodings = await tokenizer.encodeBatch(texts.slice(i, i + 5000));
    for (const encoding of encodings) ids.push(encoding.getIds());
  fs.writeFileSync(idsPath, JSON.stringify(ids));
}

main(process.argv.slice(2));
