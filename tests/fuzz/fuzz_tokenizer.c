/* Any bytes as tokenizer.json, or after a first byte that is even as vocab.txt, and what it makes
 * of a text. */
#include <stddef.h>
#include <stdint.h>

#include "text/tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char text[] =
        "A detective's caf\xC3\xA9 \xE6\x97\xA5 [SEP] \xEF\xAC\x81lm\xCC\x81 xyz";
    struct tokenizer_files files = {0};
    struct tokenizer *tokenizer;
    if (size < 2) return 0;
    struct span bytes = {(const char *)data + 1, size - 1};
    if (data[0] % 2 == 0) files.vocab_txt = bytes;
    else files.tokenizer_json = bytes;
    if (tokenizer_new(&files, &tokenizer, NULL) != 0) return 0;
    struct span pair = bytes.size < 200 ? bytes : (struct span){bytes.data, 200};
    struct tokenizer_request request = {.text = {text, sizeof text - 1},
                                        .pair = data[0] % 3 == 0 ? &pair : NULL,
                                        .max_tokens = data[0]};
    struct tokens tokens;
    tokens_init(&tokens);
    tokenizer_encode(tokenizer, &request, &tokens, NULL, NULL);
    for (size_t i = 0; i < tokens.n; i++)
        if (tokens.ids[i] >= tokenizer_size(tokenizer)) __builtin_trap();
    tokens_deinit(&tokens);
    tokenizer_free(tokenizer);
    return 0;
}
