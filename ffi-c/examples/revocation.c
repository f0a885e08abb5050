/* What came from the agent: is a serial in it? */
iotkm_revocation_list list;
if (iotkm_revocation_list_peek(bytes, len, &list) != IOTKM_OK) return;         /* to show it: nobody vouches for it yet */
if (iotkm_revocation_list_verify(bytes, len, &agent, &list) != IOTKM_OK) return;
if (iotkm_revocation_list_contains(&list, 4711) == 1) my_warning("4711 is revoked");
