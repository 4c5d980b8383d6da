/*
 * oracle.h: for functions of a test that compute in a plain way, from its own arrays and in one
 * thread, what the library must give. A sanitizer, which would make them ten times as slow, looks
 * at the library and at the rest of the test.
 */
#ifndef TESTS_BASE_ORACLE_H
#define TESTS_BASE_ORACLE_H

#define ORACLE __attribute__((no_sanitize("address", "thread", "undefined")))

#endif
