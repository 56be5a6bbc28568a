// A call, and what must come of it; tests/conformance/README.md describes the cases.

#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "dirty/v1/arbiter.grpc.pb.h"

// What came of a call is not as expected.
struct Failed : std::runtime_error {
    using std::runtime_error::runtime_error;
};

class Case {
public:
    explicit Case(const nlohmann::json& json) : json_(json) {}

    std::string name() const { return json_["name"]; }

    // Makes the call. Returns why it is beyond a channel without options, or nothing; throws Failed.
    std::string run(dirty::v1::Arbiter::Stub& arbiter) const;

private:
    // What the caller saw: chunks, or the one result, and how the call ended.
    struct Outcome {
        std::vector<dirty::v1::Value> values;
        grpc::Status status;
    };

    dirty::v1::ExecuteRequest request(const std::filesystem::path& closed) const;
    Outcome call(dirty::v1::Arbiter::Stub& arbiter, const dirty::v1::ExecuteRequest& request) const;
    void follow(dirty::v1::Arbiter::Stub& arbiter, grpc::ClientContext& context,
                const dirty::v1::ExecuteRequest& request, Outcome& outcome) const;
    void check(const Outcome& outcome) const;
    void check_error(const Outcome& outcome) const;

    nlohmann::json json_;
};
