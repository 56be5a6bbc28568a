# Runs the conformance cases with a stock stub, without channel options, against the daemon at DIRTYD_SOCKET. The
# generated code is on the load path.

require "fileutils"
require "json"
require "dirty/v1/arbiter_services_pb"
require_relative "case"

def open_report(client)
  folder = ENV.fetch("DIRTYD_CONFORMANCE_REPORT", nil)
  return File.open(File::NULL, "w") unless folder

  FileUtils.mkdir_p(folder)
  File.open(File.join(folder, "#{client}.jsonl"), "w")
end

def judge(test, arbiter)
  skipped = test.run(arbiter)
  skipped ? ["SKIP", skipped] : ["PASS", ""]
rescue Case::Failed => failure
  ["FAIL", failure.message]
end

cases = JSON.parse(File.read(File.join(__dir__, "../../conformance/cases.json")))["cases"]
arbiter = Dirty::V1::Arbiter::Stub.new("unix:#{ENV.fetch("DIRTYD_SOCKET")}", :this_channel_is_insecure)
report = open_report("stock-ruby")
count = Hash.new(0)
cases.map { |json| Case.new(json) }.each do |test|
  verdict, why = judge(test, arbiter)
  count[verdict] += 1
  puts why.empty? ? "#{verdict} #{test.name}" : "#{verdict} #{test.name}: #{why}"
  report.puts(JSON.generate("case" => test.name, "verdict" => verdict, "why" => why))
end
report.close
puts "#{count["PASS"]} passed, #{count["FAIL"]} failed, #{count["SKIP"]} skipped"
exit(count["FAIL"].zero?)
