// Runs the conformance cases, whose file is the argument, with a stock stub, without channel options, against the
// daemon at DIRTYD_SOCKET. It prints a line per case and exits with 1 if one fails.

#include <grpcpp/grpcpp.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>

#include "case.h"

namespace fs = std::filesystem;

// The report that tests/conformance/README.md describes; without a folder it goes nowhere.
static std::ofstream open_report(const std::string& client) {
    const char* folder = std::getenv("DIRTYD_CONFORMANCE_REPORT");
    if (!folder) return std::ofstream("/dev/null");
    fs::create_directories(folder);
    return std::ofstream(fs::path(folder) / (client + ".jsonl"));
}

int main(int, char** argv) {
    std::ifstream file(argv[1]);
    const auto cases = nlohmann::json::parse(file)["cases"];
    const auto channel =
        grpc::CreateChannel(std::string("unix:") + std::getenv("DIRTYD_SOCKET"), grpc::InsecureChannelCredentials());
    const auto arbiter = dirty::v1::Arbiter::NewStub(channel);
    std::ofstream report = open_report("stock-cpp");
    std::map<std::string, int> count;
    for (const auto& json : cases) {
        const Case test(json);
        std::string verdict = "PASS", why;
        try {
            why = test.run(*arbiter);
            if (!why.empty()) verdict = "SKIP";
        } catch (const Failed& failed) {
            verdict = "FAIL";
            why = failed.what();
        }
        count[verdict]++;
        std::cout << verdict << " " << test.name() << (why.empty() ? "" : ": ") << why << std::endl;
        report << nlohmann::json{{"case", test.name()}, {"verdict", verdict}, {"why", why}} << "\n";
    }
    std::cout << count["PASS"] << " passed, " << count["FAIL"] << " failed, " << count["SKIP"] << " skipped\n";
    return count["FAIL"] ? 1 : 0;
}
