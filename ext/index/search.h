/*
 * search.h: the k nearest rows of a snapshot, exactly, or by codes and then exactly.
 *
 * Knows blocks, vectors and ids; not where they are stored (callbacks), nor where they come from.
 *
 * - Exact: every row's vector is compared, as it is stored.
 * - Codes: each row gets an upper bound of its estimate, with z standard errors (see
 *   vector/quantize.h). The rows of the highest bounds are compared exactly, best first, until no
 *   bound reaches the k-th best score found: so how many are looked at follows from the data and
 *   from how fine the codes are (RaBitQ: Gao, Long, SIGMOD 2024), up to a ceiling that follows k.
 *   Where that comes first, all rows whose bounds reach the k-th best score found until then are
 *   looked at, or, where they are too many, all vectors: codes cost time where they say little, not
 *   neighbours. Vectors that are in memory are scanned as those of an index without codes; in a
 *   small index codes, which take longer, are not asked. Until all of its vectors are in memory,
 *   bounds are so wide that they find what the vectors would: an answer does not change then.
 * - Partitions: only rows of the partitions that are nearest to the query (index/metric.h) are
 *   compared, some at first, then as many again, until those bring next to no row that is nearer:
 *   few where rows lie in clusters, all where none is nearer than most. Codes tell: vectors are
 *   compared at the end, once. Where the last half brought many, all are, if they are in memory. Of
 *   a list of ids so many more as it leaves out, until there are k. All partitions when fewer than
 *   k rows were found that are similar enough: then with bounds that hold for certain
 *   (Cauchy-Schwarz), so that rows that qualify come back whenever they exist.
 * - A short list of ids is fetched and compared exactly; so is everything where k is a large part
 *   of the rows.
 * - Where not all rows count (struct index_sieve), those of the highest bounds are asked about
 *   before their vectors are read, or, where these are in memory, those that are near enough.
 *
 * Several queries go through each block together, while it is in the processor's cache. Blocks are
 * scanned by several threads, which compute, and read blocks that were found: the caller's thread
 * alone finds them, allocates and polls the cancel token. The k best of n are kept in heaps: O(n
 * log k).
 */
#ifndef INDEX_SEARCH_H
#define INDEX_SEARCH_H

#include "index/query.h"

/* Offers every hit of queries[i] to hits[i], which the caller initialised with that query's k; its
 * score is that of metric.h. A stored vector of another size or with a component that is not finite
 * is ERROR_CORRUPT and names its row. */
int index_search(struct index_search *search, const struct index_query *queries, size_t n_queries,
                 struct top_k *hits, struct error *err);

#endif
