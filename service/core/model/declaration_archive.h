/*
 * Declarations as bytes, for the journal and for checkpoints: every field of declaration.h and
 * process_spec.h, in the order in which they came to be. The table at the end says which key of a
 * manifest each of them is for (declaration_keys.h).
 */
#pragma once

struct archive;
struct child_declaration;
struct supervisor_declaration;

void declaration_archive(struct archive *archive, struct child_declaration *declaration);
void supervisor_declaration_archive(struct archive *archive,
                                    struct supervisor_declaration *declaration);
