/* A key that a factory made, and one of a group whose shares are longer. */
static iotkm_static_key key;
static iotkm_static_key_ffc long_key;
iotkm_static_key_import(&key, 1, &iotkm_p256, scalar);
iotkm_static_key_store(&key, &cx, 7);
if (iotkm_static_key_load_ffc(&long_key, &cx, 2, &iotkm_ffc2048, 8) == IOTKM_E_EMPTY) {
    iotkm_static_key_generate_ffc(&long_key, &cx, 2, &iotkm_ffc2048);          /* or iotkm_static_key_import_ffc() */
    iotkm_static_key_store(&long_key.key, &cx, 8);
}
platform.public_key = iotkm_static_key_public_key;
platform.agree = iotkm_static_key_agree;
platform.keys_ctx = &long_key;
/* ... */
iotkm_static_key_wipe(&long_key.key);
if (iotkm_static_key_import_ffc(&long_key, 2, &iotkm_ffc3072, scalar) != IOTKM_OK) return;
