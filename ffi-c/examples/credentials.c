/* The operator: who asks? Then the answer; or, for a device that cannot draw randomness, credential and key in one. */
char subject[IOTKM_NAME_TEXT];
uint8_t answer[IOTKM_CREDENTIAL_ANSWER_MAX], x[32];
iotkm_credential credential;
iotkm_credential_terms terms = {0};
terms.issuer = "acme";
terms.issued_at = (uint32_t)(cx.wall_ms / 1000);
terms.serial = next_serial();
terms.life_h = 24 * 365;
if (iotkm_credential_requested(suite, bytes, len, subject) != IOTKM_OK || !user_knows(subject)) return;
iotkm_credential_issue(&cx, suite, secret, &terms, bytes, len, answer, sizeof answer, &len);
terms.serial = next_serial();
iotkm_credential_issue_printed_knowing_the_private_key(&cx, suite, secret, &terms, "lamp-8", x,
                                                       answer, sizeof answer, &len);
if (iotkm_credential_read(suite, answer, len, &credential) == IOTKM_OK) my_warning(credential.subject);
