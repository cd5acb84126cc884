/*
 * Grammar: what the D-Bus specification permits as a name, a path, a signature and a text. Written
 * from the specification, without libsystemd's help: what proctord sends is checked against it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define NAME_LENGTH_MAX 255
#define NESTING_MAX     32 /* arrays within arrays, and structures within structures */

/* ":1.7" or a well-known name. */
bool is_bus_name(const char *text);
/* Each answers for a whole text; NULL is not allowed. */
bool is_interface_name(const char *text);
bool is_member_name(const char *text);
bool is_error_name(const char *text);
/* An absolute path without empty elements and without a slash at its end. */
bool is_object_path(const char *text);
/* "as" or "": any number of complete types. */
bool is_signature(const char *text);
/* length: in bytes. A null byte within the text counts as a character. */
bool is_utf8(const char *text, size_t length);

/* The length of the complete type that a valid signature begins with. */
size_t type_length(const char *signature);
/* To how many bytes values of a type are aligned. */
size_t type_alignment(char type);
