// What this side reads of JSON that others wrote: the instances of a service, which are nodes of whatever
// client, and the lines of an import.
#include "base/check.h"
#include "client/cli/json_line.h"
#include "client/recipes/service_json.h"
#include "kv/path.h"
#include "tests/fuzz/target.h"

namespace quorate::fuzz {
namespace {

void read_service(std::string_view bytes) {
  const auto instance = client::read_instance(bytes);
  const auto drained = client::with_enabled(bytes, false);
  if (!instance.ok()) {
    CHECK(instance.code() == ErrorCode::kMalformed);
    return;
  }
  CHECK(!instance->name.empty() && !instance->id.empty());
  CHECK(client::checked_payload(instance->payload).ok());
  // What is understood of it is all there when it is written and read again.
  const auto again = client::read_instance(client::write_instance(*instance));
  CHECK(again.ok());
  CHECK(*again == *instance);
  CHECK(drained.ok());
  const auto disabled = client::read_instance(*drained);
  CHECK(disabled.ok() && !disabled->enabled);
  CHECK(disabled->name == instance->name && disabled->payload == instance->payload);
}

void read_line(std::string_view bytes) {
  const auto line = cli::parse_line(std::string(bytes));
  if (!line.ok()) {
    CHECK(!line.error().message.empty());
    return;
  }
  CHECK(kv::validate_path(line->path).ok());
}

void run(std::string_view bytes) {
  Choices choices(bytes);
  choices.below(2) == 0 ? read_service(choices.rest()) : read_line(choices.rest());
}

std::vector<std::string> seeds() {
  client::ServiceInstance instance{.name = "search", .id = "x", .address = "10.0.0.1", .port = 1};
  std::vector<std::string> seeds = {'\0' + client::write_instance(instance)};
  instance.enabled = false;
  instance.ssl_port = 65'535;
  instance.weight = 7;
  instance.tags = {"a", "b"};
  instance.metadata = {{"zone", "1"}};
  instance.payload = R"({"@class":"x","of":[1,2.5,null,{"b":"\u00fc"}]})";
  seeds.push_back('\0' + client::write_instance(instance));
  seeds.push_back('\0' +
                  std::string(R"({"name":"a","id":"b","port":70000,"enabled":"no","uriSpec":{"parts":[]},)"
                              R"("quorate":{"weight":-5,"tags":[1,"t"],"metadata":{"a":1}}})"));
  seeds.push_back('\0' + std::string(R"({"name":"a","id":"b","payload":)") + std::string(200, '[') +
                  std::string(200, ']') + "}");
  for (const char* line : {R"({"path":"/a/b","data":"text"})", R"({"path":"/a","data_base64":"AAEC/w=="})",
                           R"({"path":"/a/c","data":"","acl":["world:anyone:r","digest:u:hash:rwcda"]})",
                           R"({"path":"a","acl":[1]})", R"([{}])"})
    seeds.push_back('\1' + std::string(line));
  return seeds;
}

const Target kTarget("json", run, seeds);

}  // namespace
}  // namespace quorate::fuzz
