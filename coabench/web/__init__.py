"""Serving pages: to this machine alone, or to those who know a token; within bounds that no visitor can exceed.

Read in this order: `address` (where it is served; `certificate` for TLS), `connections` (who may connect), `access`
(who may come in), `protocols` (uvicorn, bounded), `server` (its thread). What is served is an ASGI application behind
`coabench.web.access.AccessCheck`; it is for the caller to write.
"""
