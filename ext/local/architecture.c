#include "local/architecture.h"

#include <stdio.h>
#include <string.h>

/* ---- names of tensors ------------------------------------------------------------------------ */

static const struct local_encoder_names bert_names = {
    .words = "embeddings.word_embeddings",
    .positions = "embeddings.position_embeddings",
    .segments = "embeddings.token_type_embeddings",
    .embedding_norm = "embeddings.LayerNorm",
    .layers = "encoder.layer",
    .query = "attention.self.query",
    .key = "attention.self.key",
    .value = "attention.self.value",
    .attention_output = "attention.output.dense",
    .attention_norm = "attention.output.LayerNorm",
    .intermediate = "intermediate.dense",
    .output = "output.dense",
    .output_norm = "output.LayerNorm",
};

static const struct local_encoder_names mpnet_names = {
    .words = "embeddings.word_embeddings",
    .positions = "embeddings.position_embeddings",
    .embedding_norm = "embeddings.LayerNorm",
    .relative_bias = "encoder.relative_attention_bias",
    .layers = "encoder.layer",
    .query = "attention.attn.q",
    .key = "attention.attn.k",
    .value = "attention.attn.v",
    .attention_output = "attention.attn.o",
    .attention_norm = "attention.LayerNorm",
    .intermediate = "intermediate.dense",
    .output = "output.dense",
    .output_norm = "output.LayerNorm",
};

static const struct local_head_names bert_head = {
    .dense = "pooler.dense", .is_in_encoder = 1, .out = "classifier"};
static const struct local_head_names roberta_head = {.dense = "classifier.dense",
                                                     .out = "classifier.out_proj"};

/* ---- rows ------------------------------------------------------------------------------------ */

const struct local_architecture local_bert = {
    .model_type = "bert",
    .models = {{"BertModel", 0}, {"BertForSequenceClassification", 1}, {"BertForMaskedLM", 0}},
    .prefix = "bert.",
    .names = &bert_names,
    .head = &bert_head,
    .pair_segments = 2,
    .usual_segments = 2,
};

const struct local_architecture local_xlm_roberta = {
    .model_type = "xlm-roberta",
    .models = {{"XLMRobertaModel", 0}, {"XLMRobertaForSequenceClassification", 1}},
    .prefix = "roberta.",
    .names = &bert_names,
    .head = &roberta_head,
    .first_position = 2,
    .is_first_behind_padding = 1,
    .pair_segments = 1,
    .usual_segments = 2,
};

const struct local_architecture local_mpnet = {
    .model_type = "mpnet",
    .models = {{"MPNetModel", 0}, {"MPNetForSequenceClassification", 1}, {"MPNetForMaskedLM", 0}},
    .prefix = "mpnet.",
    .names = &mpnet_names,
    .head = &roberta_head,
    .first_position = 2,
};

const struct local_architecture local_static = {
    .model_type = "model2vec",
    .models = {{"StaticModel", 0}},
    .is_static = 1,
};

static const struct local_architecture *const rows[] = {&local_bert, &local_xlm_roberta,
                                                        &local_mpnet, &local_static};
#define ROWS (sizeof rows / sizeof *rows)

/* ---- finding one ----------------------------------------------------------------------------- */

static const struct local_architecture_model *find_model(const struct local_architecture *row,
                                                         const char *name, const char *model_type)
{
    const struct local_architecture_model *model = row->models;
    if (name == NULL) return strcmp(row->model_type, model_type) == 0 ? model : NULL;
    for (; model < row->models + LOCAL_ARCHITECTURE_MODELS && model->name != NULL; model++)
        if (strcmp(model->name, name) == 0) return model;
    return NULL;
}

const struct local_architecture *local_architecture_find(const char *name, const char *model_type,
                                                         int *classifies)
{
    for (size_t i = 0; i < ROWS; i++) {
        const struct local_architecture_model *found = find_model(rows[i], name, model_type);
        if (found == NULL) continue;
        *classifies = found->classifies;
        return rows[i];
    }
    return NULL;
}

void local_architecture_list(char *out, size_t size)
{
    const char *before = NULL;
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < ROWS * LOCAL_ARCHITECTURE_MODELS && used < size; i++) {
        const char *name =
            rows[i / LOCAL_ARCHITECTURE_MODELS]->models[i % LOCAL_ARCHITECTURE_MODELS].name;
        if (name == NULL) continue;
        if (before != NULL)
            used += (size_t)snprintf(out + used, size - used, "%s%s", used > 0 ? ", " : "", before);
        before = name;
    }
    if (used < size) snprintf(out + used, size - used, " or %s", before);
}
