"""A fuzzer: hostile files, options, replies and messages, of which none may cause more than an error in words."""
