/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The functions behind the table in verbs.c, by family. */

#include "client/cli/cli.h"

/* ask.c */
int verb_ask(Cli *cli, int argc, char *argv[]);

/* list.c */
int verb_list(Cli *cli, int argc, char *argv[]);
int verb_search(Cli *cli, int argc, char *argv[]);
int verb_models(Cli *cli, int argc, char *argv[]);

/* show.c */
int verb_show(Cli *cli, int argc, char *argv[]);

/* manage.c */
int verb_rename(Cli *cli, int argc, char *argv[]);
int verb_delete(Cli *cli, int argc, char *argv[]);
int verb_restore(Cli *cli, int argc, char *argv[]);
int verb_archive(Cli *cli, int argc, char *argv[]);
int verb_cancel(Cli *cli, int argc, char *argv[]);
int verb_default(Cli *cli, int argc, char *argv[]);
int verb_reload(Cli *cli, int argc, char *argv[]);

/* export.c */
int verb_export(Cli *cli, int argc, char *argv[]);
int verb_import(Cli *cli, int argc, char *argv[]);

/* engine.c */
int verb_engine(Cli *cli, int argc, char *argv[]);

/* key.c */
int verb_key(Cli *cli, int argc, char *argv[]);

/* status.c, monitor.c, doctor.c */
int verb_status(Cli *cli, int argc, char *argv[]);
int verb_monitor(Cli *cli, int argc, char *argv[]);
int verb_doctor(Cli *cli, int argc, char *argv[]);
