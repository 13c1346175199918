<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="en">
<context>
    <name>ChatsController</name>
    <message numerus="yes">
        <source>%n chat(s) moved to the archive.</source>
        <translation>
            <numerusform>%n chat moved to the archive.</numerusform>
            <numerusform>%n chats moved to the archive.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n chat(s) moved back to the list.</source>
        <translation>
            <numerusform>%n chat moved back to the list.</numerusform>
            <numerusform>%n chats moved back to the list.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n chat(s) deleted.</source>
        <translation>
            <numerusform>%n chat deleted.</numerusform>
            <numerusform>%n chats deleted.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>Delete %n chat(s) for good?</source>
        <translation>
            <numerusform>Delete %n chat for good?</numerusform>
            <numerusform>Delete %n chats for good?</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>EngineController</name>
    <message numerus="yes">
        <source>%n message(s) were left out.</source>
        <translation>
            <numerusform>%n message was left out.</numerusform>
            <numerusform>%n messages were left out.</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>Footer</name>
    <message numerus="yes">
        <source>%n token(s)</source>
        <translation>
            <numerusform>%n token</numerusform>
            <numerusform>%n tokens</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>MessageWidget</name>
    <message numerus="yes">
        <source>%n earlier message(s) were left out of this answer</source>
        <translation>
            <numerusform>%n earlier message was left out of this answer</numerusform>
            <numerusform>%n earlier messages were left out of this answer</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>ServiceCheck</name>
    <message numerus="yes">
        <source>The service offers %n model(s).</source>
        <translation>
            <numerusform>The service offers %n model.</numerusform>
            <numerusform>The service offers %n models.</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>TransferController</name>
    <message numerus="yes">
        <source>%n chat(s) written to {file}.</source>
        <translation>
            <numerusform>%n chat written to {file}.</numerusform>
            <numerusform>%n chats written to {file}.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n chat(s) were imported.</source>
        <translation>
            <numerusform>%n chat was imported.</numerusform>
            <numerusform>%n chats were imported.</numerusform>
        </translation>
    </message>
</context>
</TS>
