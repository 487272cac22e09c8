// import and export: what is in a tree, as files.
#include <CLI/CLI.hpp>

#include "client/cli/command.h"
#include "client/cli/import_command.h"
#include "client/cli/json_lines.h"

namespace quorate::cli {

namespace {

struct ImportSources {
  ImportArguments zookeeper;
  ImportLinesArguments lines;
};

void add_import(CLI::App& app, const Globals& globals, Action& action) {
  const auto args = std::make_shared<ImportSources>();
  CLI::App* command = app.add_subcommand(
      "import", "make the nodes that a file of JSON lines names, or read a ZooKeeper ensemble into a file");
  command
      ->add_option(
          "FILE", args->lines.file,
          "what export has written, - for standard input; with --zookeeper a new file, which snapshot "
          "restore makes a cluster of")
      ->required()
      ->type_name("");
  CLI::Option* skip = command->add_flag("--skip", args->lines.skip, "leave nodes that are there as they are");
  CLI::Option* overwrite = command->add_flag("--overwrite", args->lines.overwrite,
                                             "replace data and permissions of nodes that are there");
  skip->excludes(overwrite);
  CLI::Option* servers =
      command
          ->add_option("--zookeeper", args->zookeeper.servers, "the ensemble's servers, tried in this order")
          ->delimiter(',')
          ->allow_extra_args(false)
          ->excludes(skip)
          ->excludes(overwrite)
          ->type_name("HOST:PORT,...");
  command
      ->add_option("--path", args->zookeeper.path,
                   "with --zookeeper: only this node, what is below it, and the nodes above it")
      ->capture_default_str()
      ->needs(servers)
      ->type_name("PATH");
  command
      ->add_option("--auth-file", args->zookeeper.auth_file,
                   "with --zookeeper: a file with USER:PASSWORD in each line: who may read it all")
      ->needs(servers)
      ->type_name("FILE");
  command
      ->add_flag("--verify", args->zookeeper.verify,
                 "with --zookeeper: compare its servers with FILE, by count and hash, and write nothing")
      ->needs(servers);
  command->callback([&globals, &action, args, servers] {
    args->zookeeper.file = args->lines.file;
    const bool zookeeper = servers->count() > 0;
    action = [&globals, args, zookeeper] {
      return zookeeper ? import_zookeeper(globals, args->zookeeper) : import_lines(globals, args->lines);
    };
  });
}

void add_export(CLI::App& app, const Globals& globals, Action& action) {
  const auto args = std::make_shared<ExportArguments>();
  CLI::App* command = app.add_subcommand("export", "write a node and all below it as JSON lines");
  command->add_option("PATH", args->path, "where to begin")->required()->type_name("");
  command->add_option("FILE", args->file, "a new file; - writes to standard output")
      ->capture_default_str()
      ->type_name("");
  command->callback(
      [&globals, &action, args] { action = [&globals, args] { return export_lines(globals, *args); }; });
}

}  // namespace

void add_import_commands(CLI::App& app, const Globals& globals, Action& action) {
  add_import(app, globals, action);
  add_export(app, globals, action);
}

}  // namespace quorate::cli
