/*
 * version.h: the version, in this one place. CHANGES.md says what each one brought.
 */
#ifndef EXTENSION_VERSION_H
#define EXTENSION_VERSION_H

#define RERANK_VERSION "0.1.0"

#endif
