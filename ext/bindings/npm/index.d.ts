/** What has loadExtension(): a database of better-sqlite3, node:sqlite and their like. */
export interface Loader {
  loadExtension(path: string): unknown;
}

/** The file of the library for this platform. Throws where there is none. */
export declare function getLoadablePath(): string;

/** Loads the extension into a database. */
export declare function load(db: Loader): void;
