/* A secure element that takes its time, and eight peers that are met again and again. */
static iotkm_remembered remembered;
static iotkm_remembered_peer peers[8];
iotkm_remembered_init(&remembered, &platform, peers, 8);       /* after public_key and agree were filled in */
platform.agree_known = iotkm_remembered_agree;
platform.agree_known_ctx = &remembered;
/* ... once the key has been replaced: */
iotkm_remembered_forget(&remembered);
/* ... */
platform.agree_known = NULL;
iotkm_remembered_wipe(&remembered);
