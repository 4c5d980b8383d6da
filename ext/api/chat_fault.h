/*
 * chat_fault.h: what of a chat request a refusal blames. Pure.
 */
#ifndef API_CHAT_FAULT_H
#define API_CHAT_FAULT_H

#include "api/chat_body.h"
#include "base/span.h"

#define CHAT_LENGTH 8u /* beside enum chat_feature: it is longer than the model's context */

/* What the body of an answer of that status names, as bits; 0: nothing that is known, or the status
 * is not about what was asked (keys, bills, limits of rate). */
unsigned api_chat_fault(int status, struct span body);

#endif
