#include "case.h"

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstdlib>
#include <thread>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "values.h"

using dirty::v1::Arbiter;
using dirty::v1::ExecuteRequest;
using nlohmann::json;
using std::chrono::steady_clock;
using std::chrono::system_clock;
namespace fs = std::filesystem;

namespace {

constexpr std::chrono::milliseconds patience = std::chrono::minutes(1);

// A new folder, removed at the end.
struct Folder {
    Folder() {
        std::string name = fs::temp_directory_path() / "dirtyd-stub-XXXXXX";
        if (!mkdtemp(name.data())) throw std::runtime_error("no folder can be made in " + name);
        path = name;
    }
    ~Folder() { fs::remove_all(path); }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;

    fs::path path;
};

void demand(bool holds, const std::string& otherwise) {
    if (!holds) throw Failed(otherwise);
}

bool contains(const std::string& text, const json& expected, const char* key) {
    return text.find(expected.value(key, "")) != std::string::npos;
}

// gRPC's own name of a code, as the cases have it.
std::string code_name(grpc::StatusCode code) {
    static const char* const names[] = {"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED",
                                        "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED",
                                        "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL",
                                        "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"};
    return names[code];
}

// Waits for a file, which only its writer could announce better.
void appears(const fs::path& path) {
    const auto limit = steady_clock::now() + std::chrono::seconds(2);
    while (!fs::exists(path)) {
        demand(steady_clock::now() < limit, "the generator was not closed within 2 s");
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
}

}  // namespace

std::string Case::run(Arbiter::Stub& arbiter) const {
    const Folder folder;
    const fs::path closed = folder.path / "closed";
    const Outcome outcome = call(arbiter, request(closed));
    if (outcome.status.error_code() == grpc::RESOURCE_EXHAUSTED &&
        outcome.status.error_message().find("eceived message larger than max") != std::string::npos) {
        return "grpc-core refuses messages above 4 MiB by itself; grpc.max_receive_message_length raises that";
    }
    check(outcome);
    if (json_.contains("cancel_after")) appears(closed);
    return "";
}

ExecuteRequest Case::request(const fs::path& closed) const {
    ExecuteRequest request;
    request.set_app(json_["app"].get<std::string>());
    request.set_action(json_["action"].get<std::string>());
    for (const json& tagged : json_["args"]) {
        *request.add_args() = write(tagged.contains("closed_file") ? json{{"string", closed.string()}} : tagged);
    }
    const json kwargs = json_.value("kwargs", json::object());
    for (const auto& [name, tagged] : kwargs.items()) (*request.mutable_kwargs())[name] = write(tagged);
    return request;
}

Case::Outcome Case::call(Arbiter::Stub& arbiter, const ExecuteRequest& request) const {
    grpc::ClientContext context;
    context.set_deadline(system_clock::now() + std::chrono::milliseconds(json_.value("timeout_ms", patience.count())));
    Outcome outcome;
    if (json_["method"] == "stream") {
        follow(arbiter, context, request, outcome);
        return outcome;
    }
    dirty::v1::ExecuteResponse response;
    outcome.status = arbiter.Execute(&context, request, &response);
    if (outcome.status.ok()) outcome.values.push_back(response.result());
    return outcome;
}

void Case::follow(Arbiter::Stub& arbiter, grpc::ClientContext& context, const ExecuteRequest& request,
                  Outcome& outcome) const {
    const auto leave_after = json_.value("cancel_after", SIZE_MAX);
    const auto reader = arbiter.ExecuteStream(&context, request);
    dirty::v1::ExecuteStreamResponse response;
    while (outcome.values.size() < leave_after && reader->Read(&response)) outcome.values.push_back(response.chunk());
    const bool leaves = outcome.values.size() == leave_after;
    if (leaves) context.TryCancel();
    outcome.status = reader->Finish();
    if (leaves && outcome.status.error_code() == grpc::CANCELLED) outcome.status = grpc::Status::OK;
}

void Case::check(const Outcome& outcome) const {
    const json& expect = json_["expect"];
    if (expect.contains("error")) return check_error(outcome);
    demand(outcome.status.ok(), outcome.status.error_message());
    json wanted = expect.value("chunks", expect.value("first_chunks", json()));
    if (expect.contains("result")) wanted = json::array({expect["result"]});
    const auto& got = outcome.values;
    demand(got.size() == wanted.size(), std::to_string(got.size()) + " values came");
    for (std::size_t i = 0; i < got.size(); i++) {
        demand(same(got[i], write(wanted[i])), "got " + got[i].ShortDebugString().substr(0, 200));
    }
}

void Case::check_error(const Outcome& outcome) const {
    const json& wanted = json_["expect"]["error"];
    google::rpc::Status carried;
    google::rpc::ErrorInfo info;
    google::rpc::DebugInfo debug;
    carried.ParseFromString(outcome.status.error_details());
    for (const auto& detail : carried.details()) {
        detail.UnpackTo(&info);
        detail.UnpackTo(&debug);
    }
    std::string traceback;
    for (const std::string& entry : debug.stack_entries()) traceback += entry + "\n";

    const std::string code = code_name(outcome.status.error_code()), message = outcome.status.error_message();
    demand(code == wanted["code"], code + ": " + message);
    // A deadline that passes here first is an error of gRPC itself.
    if (wanted.value("client_may_refuse", false) && info.reason().empty()) return;
    demand(info.reason() == wanted["reason"], "the reason is " + info.reason());
    demand(contains(message, wanted, "message_contains"), "the message is " + message);
    demand(contains(traceback, wanted, "traceback_contains"), "the traceback is " + traceback);
    const auto type = info.metadata().find("exception_type");
    demand(!wanted.contains("remote_type") ||
               (type != info.metadata().end() && type->second == wanted["remote_type"]),
           "the type is not " + wanted.value("remote_type", ""));
    demand(!wanted.contains("after_chunks") || wanted["after_chunks"] == outcome.values.size(),
           "it came after " + std::to_string(outcome.values.size()) + " chunks");
}
