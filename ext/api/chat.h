/*
 * chat.h: a chat model behind an HTTP API, as a model that reranks.
 *
 * Listwise, as Sun et al. 2023 ("Is ChatGPT Good at Search?", RankGPT) do it: the model is shown
 * the query and all documents together and answers with a permutation. A score is a place: of n
 * documents the one at place p, from 1 on, has 1 - (p - 1) / n. One document alone has 1 and is not
 * sent.
 *
 * A request holds as many documents as fit: CHAT_MAX_DOCUMENTS or what the user set as batch_size,
 * and so many tokens (cut.h) as its row in provider.c or the user says, of which the query has a
 * quarter at most. A document is cut to CHAT_DOCUMENT_TOKENS, or to a tenth of what there is, so
 * that ten fit.
 * Longer lists are ranked in windows, from the back to the front, each of which begins with as many
 * new ones as fit before the better half of the last: so the best of all reach the front. Windows
 * go one after the other, as each needs the one before.
 *
 * What a server does not take (response_format, temperature, a system message) it is asked once
 * more without, and no more then: decided by what its refusal (400, 422...) names, response_format
 * where it names nothing. Where a request is too long for the model's context, the tokens of one
 * are halved, for good. A refusal that remains may be one document's fault: if the server answers
 * the same query with two plain words in their place, the window is halved until the documents to
 * blame are alone; they are refused (model.h), and the others are ranked.
 *
 * Attempts and budget are as in attempt.h, keys as in remote.h.
 */
#ifndef API_CHAT_H
#define API_CHAT_H

#include "api/remote.h"

#define CHAT_MAX_DOCUMENTS 100
#define CHAT_DOCUMENT_TOKENS 512
#define CHAT_LEAST_WINDOW 10 /* documents that fit into a request, however long they are */

/* As remote_new, for a row with a chat form; `instruction` takes the place of the usual one, NULL:
 * that one is it. ERROR_INVALID also for a batch_size of 1 and for dimensions. */
int chat_new(struct api_session *session, const struct remote_options *options,
             const char *instruction, struct model **model, struct error *err);

/* Wipes the model's key, as remote_forget_key. */
void chat_forget_key(struct model *model);

#endif
