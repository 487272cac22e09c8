// Messages of a schema with every field set, found by reflection: what is new in the schema is a new seed by
// itself.
#pragma once

#include <google/protobuf/message.h>

#include <string>

#include "base/codec.h"

namespace quorate::fuzz {

// A length of 32 bits, then the message, as frames of the native protocol are.
inline std::string frame(const google::protobuf::Message& message) {
  std::string bytes;
  ByteWriter(bytes).u32(static_cast<uint32_t>(message.ByteSizeLong()));
  message.AppendToString(&bytes);
  return bytes;
}

// Sets all fields but the choices of a oneof; messages within messages `depth` deep.
inline void fill(google::protobuf::Message& message, int depth) {
  const auto* descriptor = message.GetDescriptor();
  const auto* reflection = message.GetReflection();
  using Field = google::protobuf::FieldDescriptor;
  for (int i = 0; i < descriptor->field_count(); ++i) {
    const Field* field = descriptor->field(i);
    if (field->containing_oneof() != nullptr) continue;
    if (field->cpp_type() == Field::CPPTYPE_MESSAGE) {
      if (depth == 0) continue;
      fill(field->is_repeated() ? *reflection->AddMessage(&message, field)
                                : *reflection->MutableMessage(&message, field),
           depth - 1);
      continue;
    }
    if (field->is_repeated()) continue;
    switch (field->cpp_type()) {
      case Field::CPPTYPE_STRING:
        reflection->SetString(&message, field, field->name() == "password" ? "0123456789abcdef" : "/a");
        break;
      case Field::CPPTYPE_BOOL:
        reflection->SetBool(&message, field, true);
        break;
      case Field::CPPTYPE_UINT32:
        reflection->SetUInt32(&message, field, 1);
        break;
      case Field::CPPTYPE_UINT64:
        reflection->SetUInt64(&message, field, 1);
        break;
      case Field::CPPTYPE_INT32:
        reflection->SetInt32(&message, field, 1);
        break;
      case Field::CPPTYPE_INT64:
        reflection->SetInt64(&message, field, 1);
        break;
      default:
        break;
    }
  }
}

// Calls `done` with each choice of the message's oneofs made in turn, those of its chosen part included.
template <class Done>
void each_choice(google::protobuf::Message& message, const Done& done) {
  fill(message, 2);
  const auto* descriptor = message.GetDescriptor();
  if (descriptor->oneof_decl_count() == 0) return done();
  const auto* choice = descriptor->oneof_decl(0);
  for (int i = 0; i < choice->field_count(); ++i) {
    const auto* field = choice->field(i);
    if (field->message_type() == nullptr) continue;
    each_choice(*message.GetReflection()->MutableMessage(&message, field), done);
  }
}

}  // namespace quorate::fuzz
