// service register, ls, show, resolve, watch, drain: the registry of client/quorate/service.h.
#include "client/cli/service_commands.h"

#include <unistd.h>

#include <algorithm>
#include <map>
#include <thread>

#include <sys/random.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "client/cli/signals.h"

namespace quorate::cli {
namespace {

using client::Registry;
using client::ServiceInstance;
using Instances = std::vector<ServiceInstance>;

std::string place_text(const ServiceInstance& instance) {
  const auto port = instance.port ? instance.port : instance.ssl_port;
  const bool bare_ipv6 =
      instance.address.find(':') != std::string::npos && !instance.address.starts_with("[");
  const std::string host = bare_ipv6 ? "[" + instance.address + "]" : instance.address;
  return port ? host + ":" + std::to_string(*port) : host;
}

nlohmann::json instance_json(const ServiceInstance& instance) {
  nlohmann::json payload = nlohmann::json::parse(instance.payload, nullptr, false);
  return {{"name", instance.name},
          {"id", instance.id},
          {"address", instance.address},
          {"port", instance.port ? nlohmann::json(*instance.port) : nlohmann::json(nullptr)},
          {"ssl_port", instance.ssl_port ? nlohmann::json(*instance.ssl_port) : nlohmann::json(nullptr)},
          {"enabled", instance.enabled},
          {"weight", instance.weight},
          {"tags", instance.tags},
          {"metadata", instance.metadata},
          {"payload", payload.is_discarded() ? nlohmann::json(nullptr) : payload},
          {"registered_ms", instance.registered_ms}};
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ",") + word;
  return text.empty() ? "-" : text;
}

int list(const Globals& globals, const std::string& base) {
  const CommandClient client(globals);
  Registry registry(*client, base);
  const Result<std::vector<std::string>> names = registry.services();
  if (!names.ok()) return report(base, names.error());
  nlohmann::json out = nlohmann::json::array();
  std::vector<std::vector<std::string>> rows{{"SERVICE", "INSTANCES", "DRAINED"}};
  for (const std::string& name : *names) {
    const Result<Instances> instances = registry.instances(name);
    if (!instances.ok()) return report(name, instances.error());
    const auto drained = std::count_if(instances->begin(), instances->end(),
                                       [](const ServiceInstance& each) { return !each.enabled; });
    out.push_back({{"name", name}, {"instances", instances->size()}, {"drained", drained}});
    rows.push_back({name, std::to_string(instances->size()), std::to_string(drained)});
  }
  if (globals.json) {
    print_json(out);
  } else if (rows.size() > 1) {
    print_table(rows);
  } else {
    print_nothing("no service is registered");
  }
  return kDone;
}

int show(const Globals& globals, const std::string& base, const std::string& name) {
  const CommandClient client(globals);
  const Result<Instances> instances = Registry(*client, base).instances(name);
  if (!instances.ok()) return report(name, instances.error());
  if (globals.json) {
    nlohmann::json out = nlohmann::json::array();
    for (const ServiceInstance& each : *instances) out.push_back(instance_json(each));
    print_json(out);
    return instances->empty() ? kAnswerIsNo : kDone;
  }
  if (instances->empty())
    return fail(kAnswerIsNo, name + ": no instance is registered (see: quorate service ls)");
  std::vector<std::vector<std::string>> rows{{"ID", "ADDRESS", "STATE", "WEIGHT", "TAGS", "SINCE"}};
  for (const ServiceInstance& each : *instances) {
    rows.push_back({each.id, place_text(each), each.enabled ? "up" : "drained", std::to_string(each.weight),
                    joined(each.tags), age_text(each.registered_ms)});
  }
  print_table(rows);
  return kDone;
}

struct ResolveWish {
  std::string base, name, tag, pick;
};

int resolve(const Globals& globals, const ResolveWish& wish) {
  const CommandClient client(globals);
  Result<Instances> instances = Registry(*client, wish.base).instances(wish.name);
  if (!instances.ok()) return report(wish.name, instances.error());
  std::erase_if(*instances, [&](const ServiceInstance& each) {
    const bool tagged =
        wish.tag.empty() || std::find(each.tags.begin(), each.tags.end(), wish.tag) != each.tags.end();
    return !each.enabled || !tagged;
  });
  if (instances->empty() && !globals.json) return fail(kAnswerIsNo, wish.name + ": no instance is up");
  if (!instances->empty() && !wish.pick.empty()) {
    uint64_t random = 0;
    if (getrandom(&random, sizeof(random), 0) != sizeof(random)) return fail(kNoService, "no random bytes");
    const client::Pick how = wish.pick == "weighted" ? client::Pick::kWeighted : client::Pick::kRandom;
    *instances = {client::pick_one(*instances, how, 0, random)};
  }
  nlohmann::json out = nlohmann::json::array();
  for (const ServiceInstance& each : *instances)
    globals.json ? out.push_back(instance_json(each)) : print_line(visible(place_text(each)));
  if (globals.json) print_json(out);
  return instances->empty() ? kAnswerIsNo : kDone;
}

// What each line of `watch` says of an instance.
std::string state_text(const ServiceInstance& instance) {
  return place_text(instance) + (instance.enabled ? "" : " drained");
}

void tell_changes(const Globals& globals, const Instances& before, const Instances& now) {
  if (globals.json) {
    nlohmann::json out = nlohmann::json::array();
    for (const ServiceInstance& each : now) out.push_back(instance_json(each));
    return print_json(out);
  }
  std::map<std::string, std::string> old;
  for (const ServiceInstance& each : before) old[each.id] = state_text(each);
  for (const ServiceInstance& each : now) {
    const auto known = old.find(each.id);
    if (known == old.end() || known->second != state_text(each))
      print_line((known == old.end() ? "+ " : "= ") + visible(each.id + " " + state_text(each)));
    if (known != old.end()) old.erase(known);
  }
  for (const auto& [id, state] : old) print_line("- " + visible(id + " " + state));
}

int watch(const Globals& globals, const std::string& base, const std::string& name) {
  Signals signals;
  Client client(globals.client_options());  // our own: it is closed to end the looking
  std::optional<Error> ended;
  std::thread looking([&] {
    Registry registry(client, base);
    Result<Instances> now = registry.instances(name);
    if (now.ok()) tell_changes(globals, {}, *now);
    while (now.ok() && !output_fails()) {
      Result<Instances> next = registry.next_instances(name, *now);
      if (next.ok()) tell_changes(globals, *now, *next);
      now = std::move(next);
    }
    if (!now.ok()) ended = now.error();
    signals.wake();
  });
  int signal = signals.next();
  while (signal == SIGCHLD) signal = signals.next();
  client.close();
  looking.join();
  return signal == 0 && ended ? report(name, *ended) : kDone;
}

int drain(const Globals& globals, const std::string& base, const std::string& name, const std::string& id,
          bool undo) {
  const CommandClient client(globals);
  const Status set = Registry(*client, base).set_enabled(name, id, undo);
  if (set.code() == ErrorCode::kNoNode)
    return fail(kAnswerIsNo, set.code(),
                name + ": no instance " + id + " is registered (see: quorate service show " + name + ")");
  if (!set.ok()) return report(name, set.error());
  if (globals.json) print_json({{"name", name}, {"id", id}, {"enabled", undo}});
  return kDone;
}

std::string this_host() {
  char name[256] = "";
  return ::gethostname(name, sizeof(name) - 1) == 0 && name[0] != 0 ? name : "localhost";
}

struct Arguments {
  std::string base = "/services", name, id, address = this_host(), tag, pick, check_every = "5s",
              check_timeout = "2s", payload = "null";
  uint32_t port = 0, ssl_port = 0, weight = 1, failures = 3;
  std::vector<std::string> tags, metadata, misplaced;
  std::string check;
  bool undo = false;
};

int start_register(const Globals& globals, const Arguments& args, const std::vector<std::string>& command) {
  if (!args.misplaced.empty())
    return fail(kWrongUsage, "'" + args.misplaced[0] +
                                 "' stands before the --: write quorate service register " + args.name +
                                 " -- COMMAND...");
  ServiceWish wish;
  wish.base = args.base;
  wish.instance.name = args.name;
  wish.instance.id = args.id;
  wish.instance.address = args.address;
  if (args.port > 0) wish.instance.port = static_cast<uint16_t>(args.port);
  if (args.ssl_port > 0) wish.instance.ssl_port = static_cast<uint16_t>(args.ssl_port);
  wish.instance.weight = args.weight;
  wish.instance.tags = args.tags;
  wish.instance.payload = args.payload;
  for (const std::string& pair : args.metadata) {
    const size_t equals = pair.find('=');
    if (equals == std::string::npos) return fail(kWrongUsage, "'" + pair + "' is no KEY=VALUE");
    wish.instance.metadata[pair.substr(0, equals)] = pair.substr(equals + 1);
  }
  if (Status status = validate_check(args.check); !status.ok())
    return fail(kWrongUsage, status.error().message);
  wish.check = {args.check, *parse_duration(args.check_every), *parse_duration(args.check_timeout),
                args.failures};
  if (wish.instance.id.empty()) wish.instance.id = client::draw_instance_id();
  return register_service(globals, wish, command);
}

}  // namespace

void add_service_commands(CLI::App& app, const Globals& globals, const std::vector<std::string>& command,
                          Action& action) {
  const auto args = std::make_shared<Arguments>();
  CLI::App* service = app.add_subcommand("service", "a registry: which instances of a service there are");
  service->require_subcommand(1);
  const auto add = [&](const char* name, const char* help, std::function<int()> run, bool named = true) {
    CLI::App* sub = service->add_subcommand(name, help);
    if (named) sub->add_option("NAME", args->name, "the service")->type_name("")->required();
    sub->add_option("--base", args->base, "the node with all services below it")
        ->envname("QUORATE_SERVICES")
        ->capture_default_str()
        ->type_name("PATH");
    sub->callback([&action, run = std::move(run)] { action = run; });
    return sub;
  };
  const auto is_duration = [](const std::string& text) {
    const Result<milliseconds> parsed = parse_duration(text);
    if (parsed.ok() && *parsed < kCheckTimeMin)
      return text + " is too short: from " + std::to_string(kCheckTimeMin.count()) + "ms on";
    return parsed.ok() ? std::string() : parsed.error().message;
  };

  CLI::App* enter =
      add("register", "register an instance until a signal, or while a command runs: -- COMMAND...",
          [&globals, &command, args] { return start_register(globals, *args, command); });
  enter->add_option("COMMAND", args->misplaced, "behind --: what to run")->type_name("");
  enter->add_option("--port", args->port, "where it listens")
      ->type_name("PORT")
      ->transform(decimal<uint32_t>())
      ->check(CLI::Range(1, 65535));
  enter->add_option("--ssl-port", args->ssl_port, "where it listens for TLS")
      ->type_name("PORT")
      ->transform(decimal<uint32_t>())
      ->check(CLI::Range(1, 65535));
  enter->add_option("--address", args->address, "where others reach it")
      ->capture_default_str()
      ->type_name("HOST");
  enter->add_option("--id", args->id, "of the instance (default: drawn)")->type_name("ID");
  enter->add_option("--tag", args->tags, "a tag; may be given several times")
      ->type_name("TAG")
      ->allow_extra_args(false);
  enter->add_option("--meta", args->metadata, "KEY=VALUE; may be given several times")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  enter->add_option("--weight", args->weight, "its share, where instances are picked by weight")
      ->capture_default_str()
      ->type_name("N")
      ->transform(decimal<uint32_t>())
      ->check(CLI::Range(0, 1'000'000));
  enter->add_option("--payload", args->payload, "JSON for Curator's clients")->type_name("JSON");
  enter->add_option("--check", args->check, "http://HOST[:PORT][/PATH], tcp://HOST:PORT or exec:COMMAND")
      ->type_name("CHECK");
  enter->add_option("--check-every", args->check_every, "how often")
      ->capture_default_str()
      ->type_name("TIME")
      ->check(is_duration);
  enter->add_option("--check-timeout", args->check_timeout, "how long one check may take")
      ->capture_default_str()
      ->type_name("TIME")
      ->check(is_duration);
  enter->add_option("--check-failures", args->failures, "so many in a row take it out of the registry")
      ->capture_default_str()
      ->type_name("N")
      ->transform(decimal<uint32_t>())
      ->check(CLI::Range(1, 1000));

  add(
      "ls", "all services, and how many instances they have",
      [&globals, args] { return list(globals, args->base); }, false);
  add("show", "the instances of a service",
      [&globals, args] { return show(globals, args->base, args->name); });
  CLI::App* find =
      add("resolve", "HOST:PORT of each instance that is up; exit code 1 if none is", [&globals, args] {
        return resolve(globals, {args->base, args->name, args->tag, args->pick});
      });
  find->add_option("--tag", args->tag, "only those with this tag")->type_name("TAG");
  find->add_option("--pick", args->pick, "one of them: random, or weighted")
      ->type_name("HOW")
      ->check(CLI::IsMember({"random", "weighted"}));
  add("watch", "print the instances, then each that comes (+), changes (=) or goes (-), until a signal",
      [&globals, args] { return watch(globals, args->base, args->name); });
  CLI::App* empty =
      add("drain", "mark an instance as one that is to be asked for nothing new",
          [&globals, args] { return drain(globals, args->base, args->name, args->id, args->undo); });
  empty->add_option("ID", args->id, "the instance")->type_name("")->required();
  empty->add_flag("--undo", args->undo, "take the mark away");
}

}  // namespace quorate::cli
