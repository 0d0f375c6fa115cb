// The one place where an Error's Code becomes an HTTP status, and where a status gets its reason phrase.
#pragma once

#include <string_view>

#include "base/error.h"
#include "base/http.h"

namespace wiregauge::http {

int StatusOf(Code code);

// "Not Found" and the like; "Unknown" for a status this program never sends. Static storage.
std::string_view ReasonPhrase(int status);

// A text/plain answer of one line: the sentence and a newline.
Response PlainText(int status, std::string_view sentence);

// The answer to a request that failed: StatusOf(error.code) with the error's sentence as the body. 503 carries
// Retry-After, so that senders back off instead of hammering.
Response ErrorResponse(const Error& error);

}  // namespace wiregauge::http
