#include "generate/private.h"

#include <stdio.h>
#include <string.h>

/* The name's words in lower case, with an underscore around each: "PasswordHash2" becomes "_password_hash_". */
static void split_words(const char *name, char *words, size_t size)
{
    size_t length = 0;
    char before = '_';
    words[length++] = '_';
    for (; *name != '\0' && length + 3 < size; name++) {
        bool is_upper = *name >= 'A' && *name <= 'Z';
        bool is_lower = *name >= 'a' && *name <= 'z';
        bool is_letter = is_upper || is_lower || (unsigned char)*name >= 0x80;
        if (words[length - 1] != '_' && (!is_letter || (is_upper && before >= 'a' && before <= 'z'))) {
            words[length++] = '_';
        }
        if (is_letter) {
            words[length++] = (char)(is_upper ? *name - 'A' + 'a' : *name);
        }
        before = *name;
    }
    if (words[length - 1] != '_') {
        words[length++] = '_';
    }
    words[length] = '\0';
}

static bool has_part(const char *words, const char *const *parts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strstr(words, parts[i]) != NULL) {
            return true;
        }
    }
    return false;
}

bool private_name(const char *name)
{
    static const char *const parts[] = {
        /* anywhere */
        "password", "passwd", "passphrase", "apikey", "creditcard",
        /* as words */
        "_pwd_", "_pass_hash_", "_hashed_pass_", "_secret_", "_secrets_", "_salt_", "_token_hash_", "_token_digest_",
        "_api_key_", "_api_keys_", "_private_key_", "_access_key_", "_encryption_key_", "_session_key_",
        "_signing_key_", "_credentials_", "_ssn_", "_social_security_", "_national_id_", "_passport_number_",
        "_passport_no_", "_tax_id_", "_credit_card_", "_card_number_", "_cardnumber_", "_card_no_", "_cvv_", "_cvc_",
        "_iban_", "_bank_account_", "_account_number_", "_pin_code_", "_otp_", "_totp_", "_mfa_", "_recovery_codes_",
        "_recovery_code_"};
    static const char *const ends[] = {"_token_", "_tokens_"}; /* a token_type, or tokens_left, is none */
    char words[512];
    split_words(name, words, sizeof words);
    if (has_part(words, parts, sizeof parts / sizeof *parts)) {
        return true;
    }
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        const char *at = strstr(words, ends[i]);
        if (at != NULL && at[strlen(ends[i])] == '\0') {
            return true;
        }
    }
    return false;
}

/* A document with one of these would be made anew whenever somebody comes by. */
static bool is_restless(const char *name)
{
    static const char *const parts[] = {"_touched_",        "_last_login_",    "_last_logged_", "_last_seen_",
                                        "_last_access_",    "_last_accessed_", "_last_visit_",  "_last_active_",
                                        "_last_activity_",  "_sign_in_",       "_login_count_", "_logins_",
                                        "_failed_attempts_"};
    char words[512];
    split_words(name, words, sizeof words);
    return has_part(words, parts, sizeof parts / sizeof *parts);
}

const char *private_reason(const struct catalog_column *column)
{
    static const char *const types[] = {"bytea", "tsvector", "tsquery", "oid", "bytea[]", "tsvector[]", "oid[]"};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (strcmp(column->base_type, types[i]) == 0) {
            return types[i];
        }
    }
    if (private_name(column->name)) {
        return "looks private";
    }
    return is_restless(column->name) ? "changes with each visit" : NULL;
}
