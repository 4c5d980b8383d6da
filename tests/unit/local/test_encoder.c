#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/wait.h>

#include "base/workers.h"
#include "local/batch.h"
#include "local/families.h"
#include "local/oracle.h"

/* A text of each length from 1 to MAX_TOKENS - 2. */
enum { MAX_TOKENS = 50, MAX_TEXTS = MAX_TOKENS - 2, MAX_SIZE = 96, LONG_TOKENS = 150 };

/* How threads share the work is the same on every processor: an emulator is slow. */
#ifdef TESTS_CHOSEN_FAMILY
enum { THREADS_STEP = 2 };
#else
enum { THREADS_STEP = 1 };
#endif

static const struct local_config small = {
    .architecture = &local_bert,
    .hidden_size = 48,
    .n_layers = 2,
    .n_heads = 3,
    .intermediate_size = 100,
    .vocabulary_size = 60,
    .n_positions = MAX_TOKENS,
    .n_segments = 2,
    .layer_norm_epsilon = 1e-12f,
    .activation = LOCAL_GELU,
    .pooling = LOCAL_MEAN,
    .dimensions = 48,
    .max_tokens = MAX_TOKENS,
};

struct sample {
    uint32_t ids[MAX_TEXTS][MAX_TOKENS];
    uint8_t segments[MAX_TEXTS][MAX_TOKENS];
    size_t lengths[MAX_TEXTS];
    float results[MAX_TEXTS][MAX_SIZE];
};

static struct sample *sample_new(struct random_model *model, size_t n_texts)
{
    struct sample *sample = calloc(1, sizeof *sample);
    for (size_t i = 0; i < n_texts; i++) {
        sample->lengths[i] = 1 + (i * 17) % (MAX_TOKENS - 2);
        for (size_t t = 0; t < sample->lengths[i]; t++) {
            sample->ids[i][t] = random_bits(model) % (uint32_t)model->config.vocabulary_size;
            sample->segments[i][t] =
                model->config.n_segments > 1 && t > sample->lengths[i] / 2 ? 1 : 0;
        }
    }
    return sample;
}

static void compute(struct local_weights *weights, struct sample *sample, size_t first,
                    size_t n_texts, size_t n_threads)
{
    struct local_text texts[MAX_TEXTS];
    for (size_t i = 0; i < n_texts; i++)
        texts[i] = (struct local_text){.ids = sample->ids[first + i],
                                       .segments = sample->segments[first + i],
                                       .n_tokens = sample->lengths[first + i],
                                       .result = sample->results[first + i]};
    assert_int_equal(local_batch_run(weights, texts, n_texts, n_threads, NULL, NULL), 0);
}

static struct local_weights *load(const struct local_kernels *kernels,
                                  const struct random_model *model, enum local_precision precision)
{
    struct local_weights *weights;
    struct error err = {0};
    int rc = local_weights_load(model->path, &model->config, precision, 2, NULL, &weights, &err);
    if (rc != 0) print_error("%s\n", err.text);
    assert_int_equal(rc, 0);
    assert_ptr_equal(weights->kernels, kernels);
    return weights;
}

static void unload(struct local_weights *weights)
{
    local_batch_release(weights);
    local_weights_free(weights);
}

static void check_oracle(struct random_model *model, struct local_weights *weights)
{
    size_t n = model->config.classifies ? 1 : model->config.hidden_size;
    struct sample *sample = sample_new(model, MAX_TEXTS);
    double worst = 0, expected[MAX_SIZE];
    compute(weights, sample, 0, MAX_TEXTS, 2);
    for (size_t i = 0; i < MAX_TEXTS; i++) {
        oracle_result(model, sample->ids[i], sample->segments[i], sample->lengths[i], expected);
        for (size_t j = 0; j < n; j++)
            worst = fmax(worst, fabs(expected[j] - (double)sample->results[i][j]));
    }
    if (worst > 2e-5) print_error("off by %g\n", worst);
    assert_true(worst <= 2e-5);
    free(sample);
}

/* A text of LONG_TOKENS. */
static void check_long_text(struct random_model *model, struct local_weights *weights)
{
    uint32_t ids[LONG_TOKENS];
    uint8_t segments[LONG_TOKENS] = {0};
    float result[MAX_SIZE];
    double expected[MAX_SIZE];
    for (size_t t = 0; t < LONG_TOKENS; t++)
        ids[t] = random_bits(model) % (uint32_t)model->config.vocabulary_size;
    struct local_text text = {
        .ids = ids, .segments = segments, .n_tokens = LONG_TOKENS, .result = result};
    assert_int_equal(local_batch_run(weights, &text, 1, 1, NULL, NULL), 0);
    oracle_result(model, ids, segments, LONG_TOKENS, expected);
    for (size_t i = 0; i < model->config.hidden_size; i++)
        assert_true(fabs(expected[i] - (double)result[i]) <= 2e-5);
}

static void test_an_embedder_computes_what_the_papers_say(const struct local_kernels *kernels)
{
    for (int pooling = LOCAL_CLS; pooling <= LOCAL_MAX; pooling++) {
        struct local_config config = small;
        config.pooling = (enum local_pooling)pooling;
        struct random_model *model = random_model_new(&config);
        struct local_weights *weights = load(kernels, model, LOCAL_FLOAT32);
        check_oracle(model, weights);
        unload(weights);
        random_model_free(model);
    }
}

/* Panels of queries end where keys begin, in each family. */
static void make_even(struct local_config *config)
{
    config->hidden_size = config->dimensions = 64;
    config->n_heads = 2;
}

static void test_a_cross_encoder_has_its_pooler(const struct local_kernels *kernels)
{
    static const struct local_architecture *const all[] = {&local_bert, &local_xlm_roberta,
                                                           &local_mpnet};
    for (size_t i = 0; i < 2 * (sizeof all / sizeof *all); i++) {
        struct local_config config = small;
        config.classifies = 1;
        config.architecture = all[i / 2];
        if (i % 2 == 1) make_even(&config);
        if (config.architecture != &local_bert) {
            config.n_segments = config.architecture->pair_segments;
            config.first_position = 2;
            config.n_positions += 2;
        }
        struct random_model *model = random_model_new(&config);
        struct local_weights *weights = load(kernels, model, LOCAL_FLOAT32);
        check_oracle(model, weights);
        unload(weights);
        random_model_free(model);
    }
}

/* Without token types, with a bias by relative position, in texts that reach the furthest
 * bucket. */
static void test_mpnet(const struct local_kernels *kernels)
{
    for (int pooling = LOCAL_CLS; pooling <= LOCAL_MEAN; pooling++) {
        struct local_config config = small;
        config.architecture = &local_mpnet;
        config.pooling = (enum local_pooling)pooling;
        config.n_segments = 0;
        config.first_position = 2;
        config.n_positions = LONG_TOKENS + 2;
        struct random_model *model = random_model_new(&config);
        struct local_weights *weights = load(kernels, model, LOCAL_FLOAT32);
        check_oracle(model, weights);
        check_long_text(model, weights);
        unload(weights);
        random_model_free(model);
    }
}

static double cosine(const float *a, const float *b, size_t n)
{
    double ab = 0, aa = 0, bb = 0;
    for (size_t i = 0; i < n; i++) {
        ab += (double)a[i] * (double)b[i];
        aa += (double)a[i] * (double)a[i];
        bb += (double)b[i] * (double)b[i];
    }
    return ab / sqrt(aa * bb);
}

/* int8: each product is off by about 1 % of what a row and a column hold. */
static void test_reduced_precision_stays_near(const struct local_kernels *kernels)
{
    static const double least[] = {[LOCAL_BFLOAT16] = .9999, [LOCAL_INT8] = .9997};
    struct random_model *model = random_model_new(&small);
    struct local_weights *weights = load(kernels, model, LOCAL_FLOAT32);
    struct sample *exact = sample_new(model, MAX_TEXTS), *near = calloc(1, sizeof *near);
    compute(weights, exact, 0, MAX_TEXTS, 1);
    unload(weights);
    for (int precision = LOCAL_BFLOAT16; precision <= LOCAL_INT8; precision++) {
        *near = *exact;
        memset(near->results, 0, sizeof near->results);
        weights = load(kernels, model, (enum local_precision)precision);
        compute(weights, near, 0, MAX_TEXTS, 1);
        for (size_t i = 0; i < MAX_TEXTS; i++)
            assert_true(cosine(exact->results[i], near->results[i], small.hidden_size) >=
                        least[precision]);
        unload(weights);
    }
    free(exact);
    free(near);
    random_model_free(model);
}

/* Alone, together, by however many threads: the same bits. */
static void test_a_result_does_not_depend_on_the_batch(const struct local_kernels *kernels)
{
    struct local_config config = small;
    make_even(&config);
    config.pooling = LOCAL_CLS;
    for (int precision = LOCAL_FLOAT32; precision <= LOCAL_INT8; precision++) {
        struct random_model *model = random_model_new(&config);
        struct local_weights *weights = load(kernels, model, (enum local_precision)precision);
        struct sample *together = sample_new(model, MAX_TEXTS), *other = calloc(1, sizeof *other);
        compute(weights, together, 0, MAX_TEXTS, 1);
        for (size_t n_threads = 1; n_threads <= 5; n_threads += THREADS_STEP) {
            *other = *together;
            memset(other->results, 0, sizeof other->results);
            compute(weights, other, 0, MAX_TEXTS, n_threads);
            assert_memory_equal(other->results, together->results, sizeof other->results);
            memset(other->results, 0, sizeof other->results);
            for (size_t i = 0; i < MAX_TEXTS; i++) compute(weights, other, i, 1, n_threads);
            assert_memory_equal(other->results, together->results, sizeof other->results);
        }
        unload(weights);
        random_model_free(model);
        free(together);
        free(other);
    }
}

struct crowd {
    struct local_weights *weights;
    struct sample *samples[4];
};

static void compute_in_crowd(void *context, size_t number)
{
    struct crowd *crowd = context;
    compute(crowd->weights, crowd->samples[number], 0, MAX_TEXTS, 2);
}

static void test_several_calls_share_the_weights(const struct local_kernels *kernels)
{
    struct random_model *model = random_model_new(&small);
    struct crowd crowd = {.weights = load(kernels, model, LOCAL_FLOAT32)};
    for (size_t i = 0; i < 4; i++) {
        model->random = 7;
        crowd.samples[i] = sample_new(model, MAX_TEXTS);
    }
    workers_run(4, compute_in_crowd, &crowd);
    for (size_t i = 0; i < 4; i++) {
        assert_memory_equal(crowd.samples[i], crowd.samples[0], sizeof *crowd.samples[0]);
        if (i > 0) free(crowd.samples[i]);
    }
    free(crowd.samples[0]);
    unload(crowd.weights);
    random_model_free(model);
}

static int at_once(void *context)
{
    (void)context;
    return 1;
}

static void test_a_call_is_interrupted(const struct local_kernels *kernels)
{
    struct local_config config = small;
    config.n_layers = 20;
    config.hidden_size = config.intermediate_size = 96;
    struct random_model *model = random_model_new(&config);
    struct local_weights *weights = load(kernels, model, LOCAL_FLOAT32);
    struct sample *sample = sample_new(model, MAX_TEXTS);
    struct local_text texts[MAX_TEXTS];
    struct cancel cancel = {at_once, NULL};
    struct error err = {0};
    for (size_t n_threads = 1; n_threads <= 3; n_threads++) {
        int rc = 0;
        for (int tries = 0; tries < 1000 && rc == 0; tries++) {
            for (size_t i = 0; i < MAX_TEXTS; i++)
                texts[i] = (struct local_text){.ids = sample->ids[i],
                                               .segments = sample->segments[i],
                                               .n_tokens = sample->lengths[i],
                                               .result = sample->results[i]};
            rc = local_batch_run(weights, texts, MAX_TEXTS, n_threads, &cancel, &err);
        }
        assert_int_equal(rc, ERROR_INTERRUPTED);
        assert_string_equal(err.text, "interrupted");
    }
    free(sample);
    unload(weights);
    random_model_free(model);
}

static uint64_t hash_of(struct local_weights *weights)
{
    uint64_t hash;
    assert_int_equal(loading_hash(&weights->block, 2, NULL, &hash, NULL), 0);
    return hash;
}

/* Of matrices that are read in several pieces: whatever the width of a panel, the number of threads
 * and the precision. */
static void test_the_hash_of_weights_is_stored(const struct local_kernels *kernels)
{
    struct local_config config = small;
    config.hidden_size = 384;
    config.intermediate_size = 2800;
    config.n_layers = 1;
    struct random_model *model = random_model_new(&config);
    for (int precision = LOCAL_FLOAT32; precision <= LOCAL_INT8; precision++) {
        struct local_weights *weights = load(kernels, model, (enum local_precision)precision);
        if (hash_of(weights) != UINT64_C(0x211c2e63ca6622cd))
            print_error("%016llx\n", (unsigned long long)hash_of(weights));
        assert_true(hash_of(weights) == UINT64_C(0x211c2e63ca6622cd));
        unload(weights);
    }
    random_model_free(model);
}

/* A file whose numbers lie at odd places is copied, and computes the same bits. */
static void test_mapped_and_copied_weights_are_alike(const struct local_kernels *kernels)
{
    struct local_config config = small;
    config.classifies = 1;
    config.dimensions = 0;
    struct random_model *model = random_model_new(&config);
    for (int precision = LOCAL_FLOAT32; precision <= LOCAL_INT8; precision++) {
        struct local_weights *mapped = load(kernels, model, (enum local_precision)precision);
        struct sample *sample = sample_new(model, MAX_TEXTS), *other = calloc(1, sizeof *other);
        *other = *sample;
        compute(mapped, sample, 0, MAX_TEXTS, 2);
        uint64_t hash = hash_of(mapped);
        assert_non_null(mapped->block.file);
        assert_true((mapped->layers[0].intermediate.panels == NULL) ==
                    (precision == LOCAL_FLOAT32));
        random_write_weights(model, 1);
        struct error err = {0};
        assert_int_equal(loading_check(&mapped->block, &err), ERROR_UNAVAILABLE);
        struct local_weights *copied = load(kernels, model, (enum local_precision)precision);
        compute(copied, other, 0, MAX_TEXTS, 2);
        assert_null(copied->block.file);
        assert_int_equal(loading_check(&copied->block, NULL), 0);
        assert_memory_equal(other, sample, sizeof *sample);
        assert_true(hash_of(copied) == hash);
        unload(mapped);
        unload(copied);
        random_write_weights(model, 0);
        free(sample);
        free(other);
    }
    random_model_free(model);
}

struct named {
    const char *name;
    family_function test;
};

static void add_all(const struct local_kernels *kernels, const struct named *tests, size_t n)
{
    for (size_t i = 0; i < n; i++) add_family_test(tests[i].name, kernels, tests[i].test);
}

/* The family is chosen once a process: in one of its own. */
static int run_in_family(const struct local_kernels *kernels)
{
    static const struct named tests[] = {
        {"test_an_embedder_computes_what_the_papers_say",
         test_an_embedder_computes_what_the_papers_say},
        {"test_a_cross_encoder_has_its_pooler", test_a_cross_encoder_has_its_pooler},
        {"test_mpnet", test_mpnet},
        {"test_reduced_precision_stays_near", test_reduced_precision_stays_near},
        {"test_a_result_does_not_depend_on_the_batch", test_a_result_does_not_depend_on_the_batch},
        {"test_the_hash_of_weights_is_stored", test_the_hash_of_weights_is_stored},
        {"test_mapped_and_copied_weights_are_alike", test_mapped_and_copied_weights_are_alike},
    };
    int status = 0;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        setenv("RERANK_SIMD", kernels->name, 1);
        add_all(kernels, tests, sizeof tests / sizeof *tests);
        exit(run_family_tests() != 0);
    }
    return child < 0 || waitpid(child, &status, 0) != child || status != 0;
}

int main(void)
{
    static const struct named tests[] = {
        {"test_several_calls_share_the_weights", test_several_calls_share_the_weights},
        {"test_a_call_is_interrupted", test_a_call_is_interrupted},
    };
    int has_failed = 0;
    for (size_t i = 0; local_kernels_at(i) != NULL; i++)
        has_failed |= run_in_family(local_kernels_at(i));
    add_all(local_kernels_chosen(), tests, sizeof tests / sizeof *tests);
    return run_family_tests() != 0 || has_failed;
}
