// What the application `site` of the tests cannot do: answers whose timing is half of the matter.

using System.Net.WebSockets;
using System.Text;
using Microsoft.AspNetCore.Http.Features;

var builder = WebApplication.CreateBuilder(args);
builder.Logging.SetMinimumLevel(LogLevel.Warning);
var app = builder.Build();
app.UseWebSockets();

// Reads the whole body, then writes it twice.
app.MapPost("/echo-twice", async (HttpContext http) =>
{
    using var body = new MemoryStream();
    await http.Request.Body.CopyToAsync(body);
    await http.Response.Body.WriteAsync(body.ToArray());
    await http.Response.Body.WriteAsync(body.ToArray());
});

// Reads what the head promises, then writes it a hundred times, each by itself.
app.MapPost("/repeat", async (HttpContext http) =>
{
    var body = new byte[(int)http.Request.ContentLength!];
    await http.Request.Body.ReadExactlyAsync(body);
    for (var i = 0; i < 100; i++)
    {
        await http.Response.Body.WriteAsync(body);
        await http.Response.Body.FlushAsync();
    }
});

// Reads five bytes, answers them, and leaves the rest of the body where it is.
app.MapPost("/five", async (HttpContext http) =>
{
    var body = new byte[5];
    await http.Request.Body.ReadExactlyAsync(body);
    await http.Response.Body.WriteAsync(body);
});

// Two messages: that the head's callback has run, and that the connection has been upgraded.
app.Map("/life-cycle", async (HttpContext http) =>
{
    var messages = new List<string>();
    http.Response.OnStarting(() => { messages.Add("OnStarting"); return Task.CompletedTask; });
    using var socket = await http.WebSockets.AcceptWebSocketAsync();
    messages.Add("Upgraded");
    foreach (var message in messages) await Say(socket, message);
    await Goodbye(socket);
});

// Looks for a body before it accepts.
app.Map("/read-first", async (HttpContext http) =>
{
    var read = await http.Request.Body.ReadAsync(new byte[100]);
    using var socket = await http.WebSockets.AcceptWebSocketAsync();
    await Say(socket, $"read {read}");
    await Goodbye(socket);
});

// Which of the client's offers to compress it sees; accepts compression.
app.Map("/offer", async (HttpContext http) =>
{
    var offer = http.Request.Headers.SecWebSocketExtensions.ToString();
    var accept = new WebSocketAcceptContext { DangerousEnableCompression = true };
    using var socket = await http.WebSockets.AcceptWebSocketAsync(accept);
    await Say(socket, offer == "" ? "None" : offer);
    await Goodbye(socket);
});

// Upgrades whatever the request is, and answers what comes of it.
app.Map("/insist", async (HttpContext http) =>
{
    var upgrade = http.Features.Get<IHttpUpgradeFeature>();
    if (upgrade is null) return "no feature";
    if (upgrade.IsUpgradableRequest) return "upgradable";
    try { await upgrade.UpgradeAsync(); return "upgraded"; }
    catch (InvalidOperationException) { return "refused"; }
});

app.Run();

static Task Say(WebSocket socket, string text) =>
    socket.SendAsync(Encoding.UTF8.GetBytes(text), WebSocketMessageType.Text, true, CancellationToken.None);

static Task Goodbye(WebSocket socket) =>
    socket.CloseAsync(WebSocketCloseStatus.NormalClosure, null, CancellationToken.None);
