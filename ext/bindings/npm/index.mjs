import sqliteRerank from "./index.cjs";

export const { getLoadablePath, load } = sqliteRerank;
