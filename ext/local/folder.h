/*
 * folder.h: where a model of that name lies on this machine.
 *
 * Looked for, in this order, in
 *   each folder of RERANK_MODEL_PATH (separated by ':', on Windows by ';')
 *   the Hugging Face cache: $HF_HUB_CACHE, $HUGGINGFACE_HUB_CACHE, $HF_HOME/hub,
 *   $XDG_CACHE_HOME/huggingface/hub, $HOME/.cache/huggingface/hub, on Windows that of $USERPROFILE:
 *   the first of these whose variable is set
 * and in each of them as
 *   owner/name/                                        a plain folder
 *   models--owner--name/snapshots/REVISION/            the cache's layout; REVISION is what
 *                                                      refs/main holds, or the only one there
 * The first that holds a config.json or a modules.json counts. Where none has the name as it is
 * written, one that differs in the case of letters alone counts, as the hub does not tell these
 * apart; of several none. A name is owner/name or name, of letters, digits, '.', '_' and '-', no
 * part beginning with '.': SQL can name no other folder.
 */
#ifndef LOCAL_FOLDER_H
#define LOCAL_FOLDER_H

#include "base/error.h"

/* *folder: the path of the folder that holds the model's files, for memory_free; NULL
 * after an error. ERROR_INVALID: not a name. ERROR_UNAVAILABLE: no such model, or one that is
 * not complete; the text says where it was looked for and how to get it. ERROR_NOMEM. */
int local_folder_find(const char *name, char **folder, struct error *err);

#endif
