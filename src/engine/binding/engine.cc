// TensorFlow's C API for JavaScript. The first half is what the package's node backend calls (createTensor, deleteTensor,
// tensorDataSync, executeOp, isUsingGpuDevice); the second makes functions: while a trace is under way, executeOp adds a
// node to a graph instead of computing, and the finished graph becomes one operation, which may run off the main thread.
// All state belongs to the main thread; only `runCall`, of executeAsync, runs elsewhere. It is one file, long as it is,
// so that a user's compiler makes it in one step.
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include <node_api.h>
#include <unistd.h>

#include "tensorflow/c/c_api.h"
#include "tensorflow/c/c_api_experimental.h"
#include "tensorflow/c/eager/c_api.h"

namespace {

struct Status {
  TF_Status* raw = TF_NewStatus();
  Status() = default;
  Status(const Status&) = delete;
  ~Status() { TF_DeleteStatus(raw); }
  bool ok() const { return TF_GetCode(raw) == TF_OK; }
  const char* message() const { return TF_Message(raw); }
};

using Shape = std::vector<int64_t>;

// ---- State ----

/** A tensor as JavaScript knows it, by a number: a value on a device, or, while its trace is under way, a node's output. */
struct Slot {
  TFE_TensorHandle* handle = nullptr;
  TF_Output node{nullptr, 0};
  TF_DataType dtype = TF_FLOAT;
  Shape shape;
  bool isFresh = false;  // a value made inside the trace under way
};

/** Order of outputs, for maps. */
struct ByOutput {
  bool operator()(const TF_Output& a, const TF_Output& b) const {
    return a.oper != b.oper ? std::less<TF_Operation*>()(a.oper, b.oper) : a.index < b.index;
  }
};

struct Trace {
  TF_Graph* graph = TF_NewGraph();
  bool halvesProducts = false;                    // matrix products in bfloat16
  int exact = 0;                                  // depth of sections whose products stay in float32
  std::vector<TF_Output> inputs;                  // of captured values
  std::vector<TFE_TensorHandle*> captured;        // owned until the function is made
  std::unordered_map<int32_t, TF_Output> known;   // what values became, by id
  std::map<TF_Output, TF_Output, ByOutput> halves;
  std::vector<TF_Operation*> effects;             // operations without outputs: they have to run
  std::vector<std::vector<TF_Operation*>> after;  // stack of control inputs of what is added
  int nodes = 0;
  int controls = 0;                               // control edges
  ~Trace() { TF_DeleteGraph(graph); }
};

/** Largest float value, in bytes, that becomes a constant of the graph; a larger one becomes a captured input. */
constexpr int64_t kLargestConstant = 256;

struct Engine {
  TFE_Context* context = nullptr;
  std::string device;
  bool isGpu = false;
  std::unordered_map<int32_t, Slot> slots;
  int32_t next = 0;
  Trace* trace = nullptr;
  std::map<std::string, std::vector<TFE_TensorHandle*>> captures;  // of each function
} engine;

// ---- JavaScript's values ----

napi_value fail(napi_env env, const std::string& message) {
  napi_throw_error(env, nullptr, message.c_str());
  return nullptr;
}

std::string textOf(napi_env env, napi_value value) {
  size_t length = 0;
  napi_get_value_string_utf8(env, value, nullptr, 0, &length);
  std::string out(length, 0);
  napi_get_value_string_utf8(env, value, &out[0], length + 1, &length);
  return out;
}

int64_t integerOf(napi_env env, napi_value value) {
  int64_t out = 0;
  napi_get_value_int64(env, value, &out);
  return out;
}

double realOf(napi_env env, napi_value value) {
  double out = 0;
  napi_get_value_double(env, value, &out);
  return out;
}

bool truthOf(napi_env env, napi_value value) {
  napi_value coerced;
  bool out = false;
  napi_coerce_to_bool(env, value, &coerced);
  napi_get_value_bool(env, coerced, &out);
  return out;
}

bool isArray(napi_env env, napi_value value) {
  bool is = false;
  napi_is_array(env, value, &is);
  return is;
}

std::vector<int64_t> integersOf(napi_env env, napi_value value) {
  uint32_t length = 0;
  napi_get_array_length(env, value, &length);
  std::vector<int64_t> out(length);
  for (uint32_t i = 0; i < length; i++) {
    napi_value element;
    napi_get_element(env, value, i, &element);
    out[i] = integerOf(env, element);
  }
  return out;
}

napi_value integerTo(napi_env env, int64_t value) {
  napi_value out;
  napi_create_int64(env, value, &out);
  return out;
}

napi_value property(napi_env env, napi_value object, const char* name) {
  napi_value out;
  napi_get_named_property(env, object, name, &out);
  return out;
}

/** { id, dtype, shape }, as the node backend knows a tensor. */
napi_value describe(napi_env env, int32_t id, const Slot& slot) {
  napi_value out, dims;
  napi_create_object(env, &out);
  napi_set_named_property(env, out, "id", integerTo(env, id));
  napi_set_named_property(env, out, "dtype", integerTo(env, slot.dtype));
  napi_create_array_with_length(env, slot.shape.size(), &dims);
  for (size_t i = 0; i < slot.shape.size(); i++) napi_set_element(env, dims, i, integerTo(env, slot.shape[i]));
  napi_set_named_property(env, out, "shape", dims);
  return out;
}

// ---- Tensors ----

int32_t insert(Slot slot) {
  engine.slots.emplace(engine.next, std::move(slot));
  return engine.next++;
}

/** Takes the handle over. */
napi_value insertHandle(napi_env env, TFE_TensorHandle* handle) {
  Status status;
  Slot slot;
  slot.handle = handle;
  slot.dtype = TFE_TensorHandleDataType(handle);
  if (slot.dtype != TF_RESOURCE) {
    const int dims = TFE_TensorHandleNumDims(handle, status.raw);
    for (int i = 0; i < dims; i++) slot.shape.push_back(TFE_TensorHandleDim(handle, i, status.raw));
  }
  const int32_t id = insert(std::move(slot));
  return describe(env, id, engine.slots.at(id));
}

napi_value insertAll(napi_env env, const std::vector<TFE_TensorHandle*>& handles) {
  napi_value out;
  napi_create_array_with_length(env, handles.size(), &out);
  for (size_t i = 0; i < handles.size(); i++) napi_set_element(env, out, i, insertHandle(env, handles[i]));
  return out;
}

Slot* find(napi_env env, int64_t id) {
  const auto found = engine.slots.find(static_cast<int32_t>(id));
  if (found != engine.slots.end()) return &found->second;
  fail(env, "no tensor " + std::to_string(id));
  return nullptr;
}

#define ARGUMENTS(n)   \
  size_t argc = n;     \
  napi_value args[n];  \
  napi_get_cb_info(env, info, &argc, args, nullptr, nullptr)

/** (shape, dtype, typed array) → id. The numbers are copied: JavaScript's memory is never freed off its thread. */
napi_value CreateTensor(napi_env env, napi_callback_info info) {
  ARGUMENTS(3);
  Slot slot;
  slot.shape = integersOf(env, args[0]);
  slot.dtype = static_cast<TF_DataType>(integerOf(env, args[1]));
  slot.isFresh = engine.trace != nullptr;
  size_t count = 1;
  for (int64_t dim : slot.shape) count *= dim;
  bool isTyped = false;
  napi_is_typedarray(env, args[2], &isTyped);
  if (!isTyped) return fail(env, "createTensor: expected a typed array");
  napi_typedarray_type type;
  size_t length = 0;
  void* data = nullptr;
  napi_get_typedarray_info(env, args[2], &type, &length, &data, nullptr, nullptr);
  if (length != count) return fail(env, "createTensor: shape and values differ in size");
  const size_t bytes = count * TF_DataTypeSize(slot.dtype);
  TF_Tensor* tensor = TF_AllocateTensor(slot.dtype, slot.shape.data(), slot.shape.size(), bytes);
  if (bytes > 0) memcpy(TF_TensorData(tensor), data, bytes);
  Status status;
  slot.handle = TFE_NewTensorHandle(tensor, status.raw);
  TF_DeleteTensor(tensor);
  if (engine.isGpu && slot.dtype != TF_INT32 && status.ok()) {  // TensorFlow keeps integers of shapes on the host
    auto* there = TFE_TensorHandleCopyToDevice(slot.handle, engine.context, engine.device.c_str(), status.raw);
    TFE_DeleteTensorHandle(slot.handle);
    slot.handle = there;
  }
  if (!status.ok()) return fail(env, status.message());
  return integerTo(env, insert(std::move(slot)));
}

/** (id) */
napi_value DeleteTensor(napi_env env, napi_callback_info info) {
  ARGUMENTS(1);
  const int64_t id = integerOf(env, args[0]);
  Slot* slot = find(env, id);
  if (slot == nullptr) return nullptr;
  if (slot->handle != nullptr) TFE_DeleteTensorHandle(slot->handle);
  engine.slots.erase(static_cast<int32_t>(id));
  return nullptr;
}

/** (id) → typed array, a copy. */
napi_value TensorDataSync(napi_env env, napi_callback_info info) {
  ARGUMENTS(1);
  Slot* slot = find(env, integerOf(env, args[0]));
  if (slot == nullptr) return nullptr;
  if (slot->handle == nullptr) return fail(env, "the values of a tensor are asked for while it is traced");
  Status status;
  TF_Tensor* tensor = TFE_TensorHandleResolve(slot->handle, status.raw);
  if (!status.ok()) return fail(env, status.message());
  const size_t bytes = TF_TensorByteSize(tensor);
  napi_value buffer, out;
  void* data;
  napi_create_arraybuffer(env, bytes, &data, &buffer);
  if (bytes > 0) memcpy(data, TF_TensorData(tensor), bytes);
  TF_DeleteTensor(tensor);
  switch (slot->dtype) {
    case TF_FLOAT: napi_create_typedarray(env, napi_float32_array, bytes / 4, buffer, 0, &out); break;
    case TF_INT32: napi_create_typedarray(env, napi_int32_array, bytes / 4, buffer, 0, &out); break;
    case TF_INT64: napi_create_typedarray(env, napi_bigint64_array, bytes / 8, buffer, 0, &out); break;
    default: napi_create_typedarray(env, napi_uint8_array, bytes, buffer, 0, &out);
  }
  return out;
}

// ---- Attributes ----

/** Names that outlive every operation: TFE_OpSetAttr* keeps the pointer. */
const char* interned(const std::string& name) {
  static std::unordered_set<std::string> names;
  return names.insert(name).first->c_str();
}

/** Eager operations and those of a graph are told their attributes alike. */
struct EagerOp {
  TFE_Op* op;
  void text(const char* n, const std::string& v) { TFE_OpSetAttrString(op, n, v.data(), v.size()); }
  void integer(const char* n, int64_t v) { TFE_OpSetAttrInt(op, n, v); }
  void integers(const char* n, const Shape& v) { TFE_OpSetAttrIntList(op, n, v.data(), v.size()); }
  void real(const char* n, float v) { TFE_OpSetAttrFloat(op, n, v); }
  void truth(const char* n, bool v) { TFE_OpSetAttrBool(op, n, v); }
  void type(const char* n, TF_DataType v) { TFE_OpSetAttrType(op, n, v); }
  void types(const char* n, const std::vector<TF_DataType>& v) { TFE_OpSetAttrTypeList(op, n, v.data(), v.size()); }
  void shape(const char* n, const Shape& v, TF_Status* s) { TFE_OpSetAttrShape(op, n, v.data(), v.size(), s); }
};
struct GraphOp {
  TF_OperationDescription* op;
  void text(const char* n, const std::string& v) { TF_SetAttrString(op, n, v.data(), v.size()); }
  void integer(const char* n, int64_t v) { TF_SetAttrInt(op, n, v); }
  void integers(const char* n, const Shape& v) { TF_SetAttrIntList(op, n, v.data(), v.size()); }
  void real(const char* n, float v) { TF_SetAttrFloat(op, n, v); }
  void truth(const char* n, bool v) { TF_SetAttrBool(op, n, v); }
  void type(const char* n, TF_DataType v) { TF_SetAttrType(op, n, v); }
  void types(const char* n, const std::vector<TF_DataType>& v) { TF_SetAttrTypeList(op, n, v.data(), v.size()); }
  void shape(const char* n, const Shape& v, TF_Status*) { TF_SetAttrShape(op, n, v.data(), v.size()); }
};

/** Sets the attributes [{ name, type, value }]. `isHalved`: the type T is bfloat16, whatever they say. */
template <typename Op>
void setAttributes(napi_env env, napi_value attributes, Op op, TF_Status* status, bool isHalved = false) {
  uint32_t length = 0;
  napi_get_array_length(env, attributes, &length);
  for (uint32_t i = 0; i < length; i++) {
    napi_value attribute;
    napi_get_element(env, attributes, i, &attribute);
    const char* name = interned(textOf(env, property(env, attribute, "name")));
    napi_value value = property(env, attribute, "value");
    const bool isList = isArray(env, value);
    switch (static_cast<TF_AttrType>(integerOf(env, property(env, attribute, "type")))) {
      case TF_ATTR_STRING: op.text(name, textOf(env, value)); break;
      case TF_ATTR_INT: isList ? op.integers(name, integersOf(env, value)) : op.integer(name, integerOf(env, value)); break;
      case TF_ATTR_FLOAT: op.real(name, static_cast<float>(realOf(env, value))); break;
      case TF_ATTR_BOOL: op.truth(name, truthOf(env, value)); break;
      case TF_ATTR_SHAPE: op.shape(name, integersOf(env, value), status); break;
      case TF_ATTR_TYPE:
        if (isList) {
          std::vector<TF_DataType> types;
          for (int64_t type : integersOf(env, value)) types.push_back(static_cast<TF_DataType>(type));
          op.types(name, types);
        } else {
          const bool isProduct = isHalved && strcmp(name, "T") == 0;
          op.type(name, isProduct ? TF_BFLOAT16 : static_cast<TF_DataType>(integerOf(env, value)));
        }
        break;
      default: TF_SetStatus(status, TF_UNIMPLEMENTED, (std::string(name) + ": attribute of an unknown type").c_str());
    }
  }
}

// ---- Operations, at once ----

/** An operation ready to run, or null with an exception pending. A function is given what it captured as well. */
TFE_Op* eagerOp(napi_env env, const std::string& name, napi_value attributes, const std::vector<int64_t>& ids) {
  Status status;
  TFE_Op* op = TFE_NewOp(engine.context, name.c_str(), status.raw);
  if (!status.ok()) {
    fail(env, name + ": " + status.message());
    return nullptr;
  }
  for (int64_t id : ids) {
    Slot* slot = find(env, id);
    if (slot == nullptr || slot->handle == nullptr) {
      TFE_DeleteOp(op);
      if (slot != nullptr) fail(env, name + ": an input belongs to a trace that is over");
      return nullptr;
    }
    TFE_OpAddInput(op, slot->handle, status.raw);
  }
  const auto captured = engine.captures.find(name);
  if (captured != engine.captures.end()) {
    for (auto* handle : captured->second) TFE_OpAddInput(op, handle, status.raw);
  }
  setAttributes(env, attributes, EagerOp{op}, status.raw);
  if (status.ok()) return op;
  fail(env, name + ": " + status.message());
  TFE_DeleteOp(op);
  return nullptr;
}

// ---- Operations of a trace ----

std::string nodeName(const std::string& op) { return op + "_" + std::to_string(engine.trace->nodes++); }

/** A tensor in the graph under way: itself, a constant, or an input, captured. */
TF_Output traced(int32_t id, Slot& slot, TF_Status* status) {
  Trace& trace = *engine.trace;
  if (slot.node.oper != nullptr) return slot.node;
  const auto known = trace.known.find(id);
  if (known != trace.known.end()) return known->second;
  TF_Output out{nullptr, 0};
  if (slot.handle == nullptr) {
    TF_SetStatus(status, TF_INVALID_ARGUMENT, "an input belongs to a trace that is over");
    return out;
  }
  int64_t count = 1;
  for (int64_t dim : slot.shape) count *= dim;
  const bool isSmall = slot.dtype != TF_FLOAT || count * static_cast<int64_t>(sizeof(float)) <= kLargestConstant;
  if (slot.isFresh && slot.dtype != TF_RESOURCE && isSmall) {
    TF_Tensor* value = TFE_TensorHandleResolve(slot.handle, status);
    if (TF_GetCode(status) != TF_OK) return out;
    auto* description = TF_NewOperation(trace.graph, "Const", nodeName("constant").c_str());
    TF_SetAttrType(description, "dtype", slot.dtype);
    TF_SetAttrTensor(description, "value", value, status);
    out.oper = TF_FinishOperation(description, status);
    TF_DeleteTensor(value);
  } else {
    auto* description = TF_NewOperation(trace.graph, "Placeholder", nodeName("captured").c_str());
    TF_SetAttrType(description, "dtype", slot.dtype);
    TF_SetAttrShape(description, "shape", slot.shape.data(), slot.shape.size());
    out.oper = TF_FinishOperation(description, status);
    trace.inputs.push_back(out);
    trace.captured.push_back(TFE_TensorHandleCopySharingTensor(slot.handle, status));
  }
  trace.known.emplace(id, out);
  return out;
}

TF_Output castTo(TF_Output value, TF_DataType to, TF_Status* status) {
  auto* description = TF_NewOperation(engine.trace->graph, "Cast", nodeName("cast").c_str());
  TF_AddInput(description, value);
  TF_SetAttrType(description, "SrcT", TF_OperationOutputType(value));
  TF_SetAttrType(description, "DstT", to);
  return {TF_FinishOperation(description, status), 0};
}

/** A value in bfloat16, cast once however often it is multiplied. */
TF_Output half(TF_Output value, TF_Status* status) {
  auto& halves = engine.trace->halves;
  const auto known = halves.find(value);
  if (known != halves.end()) return known->second;
  return halves.emplace(value, castTo(value, TF_BFLOAT16, status)).first->second;
}

/** Number of the inputs, from the first on, that are one list. An eager call does not show which they are. */
size_t listLength(const std::string& op, size_t inputs) {
  if (op == "AddN" || op == "Pack" || op == "IdentityN") return inputs;
  if (op == "ConcatV2") return inputs - 1;  // the last is the axis
  return 0;
}

void addInputs(TF_OperationDescription* description, const std::string& op, const std::vector<TF_Output>& inputs) {
  const size_t length = listLength(op, inputs.size());
  if (length > 0) TF_AddInputList(description, inputs.data(), static_cast<int>(length));
  for (size_t i = length; i < inputs.size(); i++) TF_AddInput(description, inputs[i]);
}

/** `told`: shape of the one output, where TensorFlow cannot infer it. */
napi_value traceOp(napi_env env, const std::string& op, napi_value attributes, const std::vector<int64_t>& ids, int outputs,
                   const Shape* told) {
  Status status;
  Trace& trace = *engine.trace;
  const bool isHalved = trace.halvesProducts && trace.exact == 0 && op == "BatchMatMulV2";
  std::vector<TF_Output> inputs;
  for (int64_t id : ids) {
    Slot* slot = find(env, id);
    if (slot == nullptr) return nullptr;
    TF_Output input = traced(static_cast<int32_t>(id), *slot, status.raw);
    if (status.ok() && isHalved) input = half(input, status.raw);
    if (!status.ok()) return fail(env, op + ": " + status.message());
    inputs.push_back(input);
  }
  auto* description = TF_NewOperation(trace.graph, op.c_str(), nodeName(op).c_str());
  addInputs(description, op, inputs);
  if (!trace.after.empty()) {
    for (auto* control : trace.after.back()) TF_AddControlInput(description, control);
    trace.controls += static_cast<int>(trace.after.back().size());
  }
  Status attributesStatus;
  setAttributes(env, attributes, GraphOp{description}, attributesStatus.raw, isHalved);
  TF_Operation* made = TF_FinishOperation(description, status.raw);  // sets its status anew
  if (!attributesStatus.ok()) return fail(env, op + ": " + attributesStatus.message());
  if (!status.ok()) return fail(env, op + ": " + status.message());
  if (TF_OperationNumOutputs(made) == 0) trace.effects.push_back(made);
  napi_value result;
  napi_create_array_with_length(env, outputs, &result);
  for (int i = 0; i < outputs; i++) {
    Slot slot;
    slot.node = {made, i};
    if (isHalved) slot.node = castTo(slot.node, TF_FLOAT, status.raw);
    slot.dtype = TF_OperationOutputType(slot.node);
    if (told != nullptr) TF_GraphSetTensorShape(trace.graph, slot.node, told->data(), told->size(), status.raw);
    if (slot.dtype != TF_RESOURCE) {
      const int dims = TF_GraphGetTensorNumDims(trace.graph, slot.node, status.raw);
      slot.shape.resize(dims < 0 ? 0 : dims);
      if (dims > 0) TF_GraphGetTensorShape(trace.graph, slot.node, slot.shape.data(), dims, status.raw);
      bool isKnown = dims >= 0;
      for (int64_t dim : slot.shape) isKnown = isKnown && dim >= 0;
      if (!isKnown) return fail(env, op + ": the shape of its result depends on values, so it cannot be compiled");
    }
    if (!status.ok()) return fail(env, op + ": " + status.message());
    const int32_t id = insert(std::move(slot));
    napi_set_element(env, result, i, describe(env, id, engine.slots.at(id)));
  }
  return result;
}

/** (name, attributes, ids, outputs, shape of the output or undefined) → descriptions of the outputs. */
napi_value ExecuteOp(napi_env env, napi_callback_info info) {
  ARGUMENTS(5);
  const std::string name = textOf(env, args[0]);
  const auto ids = integersOf(env, args[2]);
  int outputs = static_cast<int>(integerOf(env, args[3]));
  if (engine.trace != nullptr) {
    const bool isTold = argc > 4 && isArray(env, args[4]);
    const Shape told = isTold ? integersOf(env, args[4]) : Shape();
    return traceOp(env, name, args[1], ids, outputs, isTold ? &told : nullptr);
  }
  TFE_Op* op = eagerOp(env, name, args[1], ids);
  if (op == nullptr) return nullptr;
  Status status;
  std::vector<TFE_TensorHandle*> results(outputs, nullptr);
  TFE_Execute(op, results.data(), &outputs, status.raw);
  TFE_DeleteOp(op);
  if (!status.ok()) return fail(env, status.message());
  return insertAll(env, results);
}

/** A call on the thread of calls. The operation holds its inputs; results become known on the main thread. */
struct Call {
  napi_env env = nullptr;
  napi_threadsafe_function back = nullptr;
  napi_deferred deferred = nullptr;
  TFE_Op* op = nullptr;
  std::vector<TFE_TensorHandle*> results;
  Status status;
};

/** Calls in the order in which they were made. Never freed: its thread outlives the main function. */
struct Queue {
  std::mutex mutex;
  std::condition_variable filled;
  std::deque<Call*> calls;
  bool hasThread = false;
};
Queue& queue = *new Queue;

/** Environments that are ending, under the queue's mutex: what a call of one would answer to is gone then. */
std::unordered_set<napi_env>& ending = *new std::unordered_set<napi_env>;

void beginEnding(void* env) {
  std::lock_guard<std::mutex> lock(queue.mutex);
  ending.insert(static_cast<napi_env>(env));
}

/** Calls whose results the main thread does not have yet. */
int unanswered = 0;

/** Ends the process where a call may still compute: `exit` would go on to free what TensorFlow's threads are using. */
void leave(int code, void*) {
  if (unanswered == 0) return;
  fflush(nullptr);
  _exit(code);
}

/** (code) Ends the process where a call may still compute, and does nothing where none does. */
napi_value Leave(napi_env env, napi_callback_info info) {
  ARGUMENTS(1);
  leave(static_cast<int>(integerOf(env, args[0])), nullptr);
  return nullptr;
}

/**
 * () Lets `exit` begin with the same. What is registered last comes first, and TensorFlow registers the ends of static
 * objects at its first calls: this is for when the process is about to exit.
 */
napi_value LeaveAtExit(napi_env, napi_callback_info) {
  on_exit(leave, nullptr);
  return nullptr;
}

void runCall(Call* call) {
  int outputs = static_cast<int>(call->results.size());
  TFE_Execute(call->op, call->results.data(), &outputs, call->status.raw);
  if (call->status.ok() && outputs > 0) {
    // On a GPU TFE_Execute returns early: wait here for the first result, not on the main thread
    TF_Tensor* first = TFE_TensorHandleResolve(call->results[0], call->status.raw);
    if (first != nullptr) TF_DeleteTensor(first);
  }
  std::lock_guard<std::mutex> lock(queue.mutex);
  if (ending.count(call->env) == 0) napi_call_threadsafe_function(call->back, call, napi_tsfn_blocking);
}

/**
 * Adds a call to the queue. Its thread is not one of libuv's: those read files, and where a network folder dies, all of
 * them hang, and a step that waits for one would never end.
 */
void enqueue(Call* call) {
  std::lock_guard<std::mutex> lock(queue.mutex);
  queue.calls.push_back(call);
  queue.filled.notify_one();
  if (queue.hasThread) return;
  queue.hasThread = true;
  std::thread([] {
    for (;;) {
      std::unique_lock<std::mutex> turn(queue.mutex);
      queue.filled.wait(turn, [] { return !queue.calls.empty(); });
      Call* next = queue.calls.front();
      queue.calls.pop_front();
      turn.unlock();
      runCall(next);
    }
  }).detach();
}

void endCall(napi_env env, napi_value, void*, void* data) {
  auto* call = static_cast<Call*>(data);
  unanswered--;
  TFE_DeleteOp(call->op);
  if (env == nullptr) {  // the process ends: nobody waits
  } else if (call->status.ok()) {
    napi_resolve_deferred(env, call->deferred, insertAll(env, call->results));
  } else {
    napi_value message, error;
    napi_create_string_utf8(env, call->status.message(), NAPI_AUTO_LENGTH, &message);
    napi_create_error(env, nullptr, message, &error);
    napi_reject_deferred(env, call->deferred, error);
  }
  napi_release_threadsafe_function(call->back, napi_tsfn_release);
  delete call;
}

/** (name, attributes, ids, outputs) → promise of descriptions of the outputs. */
napi_value ExecuteAsync(napi_env env, napi_callback_info info) {
  ARGUMENTS(4);
  TFE_Op* op = eagerOp(env, textOf(env, args[0]), args[1], integersOf(env, args[2]));
  if (op == nullptr) return nullptr;
  {
    std::lock_guard<std::mutex> lock(queue.mutex);
    ending.erase(env);  // of one that has ended, whose place in memory this one took
  }
  auto* call = new Call;
  call->env = env;
  call->op = op;
  call->results.resize(integerOf(env, args[3]), nullptr);
  napi_value promise, name;
  napi_create_promise(env, &call->deferred, &promise);
  napi_create_string_utf8(env, "executeAsync", NAPI_AUTO_LENGTH, &name);
  napi_create_threadsafe_function(
    env, nullptr, nullptr, name, 0, 1, nullptr, nullptr, nullptr, endCall, &call->back);
  // The newest hook runs first: before the function, which has one of its own, is freed
  static std::unordered_set<napi_env> hooked;
  if (!hooked.insert(env).second) napi_remove_env_cleanup_hook(env, beginEnding, env);
  napi_add_env_cleanup_hook(env, beginEnding, env);
  unanswered++;
  enqueue(call);
  return promise;
}

// ---- Functions ----

/** (products in bfloat16) */
napi_value BeginTrace(napi_env env, napi_callback_info info) {
  ARGUMENTS(1);
  if (engine.trace != nullptr) return fail(env, "a trace is under way");
  engine.trace = new Trace;
  engine.trace->halvesProducts = truthOf(env, args[0]);
  return nullptr;
}

bool isTracing(napi_env env) {
  if (engine.trace == nullptr) fail(env, "no trace is under way");
  return engine.trace != nullptr;
}

/** (dtype, shape) → description of a tensor that the function is given. */
napi_value TraceInput(napi_env env, napi_callback_info info) {
  ARGUMENTS(2);
  if (!isTracing(env)) return nullptr;
  Status status;
  Slot slot;
  slot.dtype = static_cast<TF_DataType>(integerOf(env, args[0]));
  slot.shape = integersOf(env, args[1]);
  auto* description = TF_NewOperation(engine.trace->graph, "Placeholder", nodeName("input").c_str());
  TF_SetAttrType(description, "dtype", slot.dtype);
  TF_SetAttrShape(description, "shape", slot.shape.data(), slot.shape.size());
  slot.node.oper = TF_FinishOperation(description, status.raw);
  if (!status.ok()) return fail(env, status.message());
  const int32_t id = insert(std::move(slot));
  return describe(env, id, engine.slots.at(id));
}

/** (ids): until `leaveAfter`, what is traced runs after these tensors are there. */
napi_value EnterAfter(napi_env env, napi_callback_info info) {
  ARGUMENTS(1);
  if (!isTracing(env)) return nullptr;
  std::vector<TF_Operation*> controls;
  for (int64_t id : integersOf(env, args[0])) {
    Slot* slot = find(env, id);
    if (slot == nullptr) return nullptr;
    if (slot->node.oper != nullptr) controls.push_back(slot->node.oper);
  }
  engine.trace->after.push_back(controls);
  return nullptr;
}

/** The same, after the newest operation without outputs: nothing else orders writes and reads of a resource. */
napi_value EnterAfterEffect(napi_env env, napi_callback_info) {
  if (!isTracing(env)) return nullptr;
  if (engine.trace->effects.empty()) return fail(env, "no operation without outputs was traced");
  engine.trace->after.push_back({engine.trace->effects.back()});
  return nullptr;
}

napi_value LeaveAfter(napi_env env, napi_callback_info) {
  if (isTracing(env) && !engine.trace->after.empty()) engine.trace->after.pop_back();
  return nullptr;
}

/** Until `leaveExact`, products are traced in float32. */
napi_value EnterExact(napi_env env, napi_callback_info) {
  if (isTracing(env)) engine.trace->exact++;
  return nullptr;
}

napi_value LeaveExact(napi_env env, napi_callback_info) {
  if (isTracing(env)) engine.trace->exact--;
  return nullptr;
}

/** Ends the trace. Its tensors stay known until JavaScript deletes them, as of a trace that is over. */
void dropTrace() {
  for (auto& entry : engine.slots) {
    entry.second.node.oper = nullptr;
    entry.second.isFresh = false;
  }
  delete engine.trace;
  engine.trace = nullptr;
}

void deleteHandles(const std::vector<TFE_TensorHandle*>& handles) {
  for (auto* handle : handles) TFE_DeleteTensorHandle(handle);
}

napi_value AbortTrace(napi_env, napi_callback_info) {
  if (engine.trace == nullptr) return nullptr;
  deleteHandles(engine.trace->captured);
  dropTrace();
  return nullptr;
}

/** (name, ids of inputs, ids of outputs) → { nodes, controls }, counted; the trace is over, whether it became a function or not. */
napi_value EndTrace(napi_env env, napi_callback_info info) {
  ARGUMENTS(3);
  if (!isTracing(env)) return nullptr;
  Trace& trace = *engine.trace;
  const std::string name = textOf(env, args[0]);
  Status status;
  std::vector<TF_Output> outputs;
  for (int64_t id : integersOf(env, args[2])) {
    Slot* slot = find(env, id);
    if (slot == nullptr) return nullptr;
    outputs.push_back(traced(static_cast<int32_t>(id), *slot, status.raw));
    if (!status.ok()) return fail(env, name + ": " + status.message());
  }
  std::vector<TF_Output> inputs;
  for (int64_t id : integersOf(env, args[1])) {
    Slot* slot = find(env, id);
    if (slot == nullptr) return nullptr;
    inputs.push_back(slot->node);
  }
  inputs.insert(inputs.end(), trace.inputs.begin(), trace.inputs.end());
  std::vector<std::string> effectNames;
  for (size_t i = 0; i < trace.effects.size(); i++) effectNames.push_back("effect_" + std::to_string(i));
  std::vector<const char*> effectPointers;
  for (const auto& effect : effectNames) effectPointers.push_back(effect.c_str());
  TF_Function* function = TF_GraphToFunctionWithControlOutputs(
      trace.graph, name.c_str(), 0, -1, nullptr, static_cast<int>(inputs.size()), inputs.data(),
      static_cast<int>(outputs.size()), outputs.data(), nullptr, static_cast<int>(trace.effects.size()),
      trace.effects.data(), effectPointers.data(), nullptr, nullptr, status.raw);
  if (status.ok()) TFE_ContextAddFunction(engine.context, function, status.raw);
  if (function != nullptr) TF_DeleteFunction(function);
  napi_value counts;
  napi_create_object(env, &counts);
  napi_set_named_property(env, counts, "nodes", integerTo(env, trace.nodes));
  napi_set_named_property(env, counts, "controls", integerTo(env, trace.controls));
  if (status.ok()) engine.captures[name] = trace.captured;
  else deleteHandles(trace.captured);
  dropTrace();
  return status.ok() ? counts : fail(env, name + ": " + status.message());
}

/** (name) */
napi_value RemoveFunction(napi_env env, napi_callback_info info) {
  ARGUMENTS(1);
  const std::string name = textOf(env, args[0]);
  Status status;
  TFE_ContextRemoveFunction(engine.context, name.c_str(), status.raw);
  deleteHandles(engine.captures[name]);
  engine.captures.erase(name);
  return status.ok() ? nullptr : fail(env, name + ": " + status.message());
}

// ---- The module ----

napi_value IsUsingGpuDevice(napi_env env, napi_callback_info) {
  napi_value out;
  napi_get_boolean(env, engine.isGpu, &out);
  return out;
}

napi_value GetNumOfTensors(napi_env env, napi_callback_info) { return integerTo(env, engine.slots.size()); }

/** Finds the device that computes, a GPU where there is one; false with an exception pending. */
bool findDevice(napi_env env) {
  Status status;
  TF_DeviceList* devices = TFE_ContextListDevices(engine.context, status.raw);
  if (!status.ok()) {
    fail(env, status.message());
    return false;
  }
  engine.isGpu = false;
  for (int i = 0; i < TF_DeviceListCount(devices) && !engine.isGpu; i++) {
    const std::string type = TF_DeviceListType(devices, i, status.raw);
    if (type != "GPU" && type != "CPU") continue;
    engine.device = TF_DeviceListName(devices, i, status.raw);
    engine.isGpu = type == "GPU";
  }
  TF_DeleteDeviceList(devices);
  return true;
}

/** Makes the context; false with an exception pending. */
bool start(napi_env env) {
  Status status;
  TFE_ContextOptions* options = TFE_NewContextOptions();
  engine.context = TFE_NewContext(options, status.raw);
  TFE_DeleteContextOptions(options);
  if (status.ok()) return findDevice(env);
  fail(env, status.message());
  return false;
}

/** (serialized ServerDef): this process becomes one of several that reduce tensors together. Its device gets another name. */
napi_value EnableCollectives(napi_env env, napi_callback_info info) {
  ARGUMENTS(1);
  void* bytes = nullptr;
  size_t length = 0;
  napi_get_typedarray_info(env, args[0], nullptr, &length, &bytes, nullptr, nullptr);
  Status status;
  TFE_EnableCollectiveOps(engine.context, bytes, length, status.raw);
  if (!status.ok()) return fail(env, status.message());
  findDevice(env);
  return nullptr;
}

}  // namespace

extern "C" __attribute__((visibility("default"))) napi_value napi_register_module_v1(napi_env env, napi_value exports) {
  if (engine.context == nullptr && !start(env)) return nullptr;
  const std::pair<const char*, napi_callback> methods[] = {
      {"isUsingGpuDevice", IsUsingGpuDevice}, {"getNumOfTensors", GetNumOfTensors}, {"createTensor", CreateTensor},
      {"deleteTensor", DeleteTensor},         {"tensorDataSync", TensorDataSync},
      {"executeOp", ExecuteOp},               {"executeAsync", ExecuteAsync},
      {"leave", Leave},                       {"leaveAtExit", LeaveAtExit},
      {"beginTrace", BeginTrace},             {"traceInput", TraceInput},
      {"enterAfter", EnterAfter},             {"enterAfterEffect", EnterAfterEffect},
      {"leaveAfter", LeaveAfter},             {"enterExact", EnterExact},
      {"leaveExact", LeaveExact},             {"endTrace", EndTrace},
      {"abortTrace", AbortTrace},             {"removeFunction", RemoveFunction},
      {"enableCollectives", EnableCollectives}};
  for (const auto& method : methods) {
    napi_value function;
    napi_create_function(env, method.first, NAPI_AUTO_LENGTH, method.second, nullptr, &function);
    napi_set_named_property(env, exports, method.first, function);
  }
  const std::pair<const char*, int> constants[] = {
      {"TF_FLOAT", TF_FLOAT},           {"TF_INT32", TF_INT32},         {"TF_INT64", TF_INT64},
      {"TF_BOOL", TF_BOOL},             {"TF_COMPLEX64", TF_COMPLEX64}, {"TF_STRING", TF_STRING},
      {"TF_RESOURCE", TF_RESOURCE},     {"TF_UINT8", TF_UINT8},         {"TF_ATTR_STRING", TF_ATTR_STRING},
      {"TF_ATTR_INT", TF_ATTR_INT},     {"TF_ATTR_FLOAT", TF_ATTR_FLOAT}, {"TF_ATTR_BOOL", TF_ATTR_BOOL},
      {"TF_ATTR_TYPE", TF_ATTR_TYPE},   {"TF_ATTR_SHAPE", TF_ATTR_SHAPE}};
  for (const auto& constant : constants) napi_set_named_property(env, exports, constant.first, integerTo(env, constant.second));
  napi_value version;
  napi_create_string_utf8(env, TF_Version(), NAPI_AUTO_LENGTH, &version);
  napi_set_named_property(env, exports, "TF_Version", version);
  return exports;
}
