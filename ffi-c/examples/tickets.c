/* Somebody shows a ticket. That he is its owner it does not say: iotkm_interactive_connect() finds that out. */
iotkm_ticket ticket;
if (iotkm_ticket_verify(bytes, len, &agent, &ticket) != IOTKM_OK) return;
if (iotkm_ticket_check(&ticket, cx.wall_ms / 1000, 0) == IOTKM_E_REFUSED_EXPIRED) my_warning(ticket.subject);
if (iotkm_ticket_peek(bytes, len, &ticket) == IOTKM_OK) my_warning(ticket.issuer);         /* to show, unverified */
