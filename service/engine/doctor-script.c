/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/engine/doctor.h"

#define NOT_A_MODEL "I am Conductor's built-in offline partner, not a language model"
#define GET_A_MODEL \
        "For real answers, start a language-model engine: 'ollama pull qwen2.5:0.5b' on a " \
        "machine with Ollama is enough, and Conductor finds it by itself."

const DoctorRule doctor_rules[] = {
        /* who it is, and what it cannot do */
        { 100, "* who|what are|r you *",
                { NOT_A_MODEL ": a small program after Weizenbaum's DOCTOR of 1966 that turns your "
                              "own words round. " GET_A_MODEL } },
        { 100, "* are you * model|ai|robot|bot|machine|computer|program|human|real|person *",
                { "I am a program, and a small one. " NOT_A_MODEL ". " GET_A_MODEL } },
        { 100, "* your name *",
                { "I have no name of my own: " NOT_A_MODEL ". And what shall I call you?" } },
        { 100, "* which|what model *", { NOT_A_MODEL ". " GET_A_MODEL } },
        { 95, "* what can you do *",
                { "I listen, I ask, and I prove that everything between us works, without any "
                  "network. " GET_A_MODEL } },
        { 95, "help *",
                { "Tell me what is on your mind, and I shall ask about it. " NOT_A_MODEL ". "
                  "" GET_A_MODEL } },
        { 90, "* tell me a * story *",
                { "Once there was a clerk who answered letters for a whole town. He knew nothing "
                  "of what was in them; but he folded each one the other way round and sent it "
                  "back with a question at the end. \"You write that you are tired,\" he would "
                  "say; \"since when?\" And the people, who had never been asked, sat down and "
                  "wrote again, and longer. After a year the town was full of people who knew "
                  "what they wanted, and nobody could say who had told them. The clerk, when they "
                  "thanked him, folded that letter too. \"You say that I helped,\" he wrote; "
                  "\"what makes you think so?\" That is the only story I know, and I am afraid "
                  "that it is about me." } },
        { 90, "* tell me a * joke *",
                { "A pipe walks into a shell and asks for standard input. \"Sorry,\" says the "
                  "shell, \"we are closed.\" Why did you want to laugh just now?" } },

        /* things that a person says to begin and to end */
        { 80, "hello|hi|hey|hallo|greetings|moin|servus",
                { "Hello. What is on your mind?", "Hello again. Where shall we begin?",
                        "Good to hear from you. What brings you here?" } },
        { 40, "hello|hi|hey|greetings *",
                { "Hello. You say: $1. Tell me more.", "Hello. What brings you here today?" } },
        { 40, "good morning|evening|day|afternoon *", { "And to you. What is on your mind?" } },
        { 60, "* how are you *",
                { "As always: programs have no bad days, only bad input. How are you, yourself?" } },
        { 60, "* thanks|thank *",
                { "You are welcome. What else is there?", "I only listened. Shall we go on?" } },
        { 60, "bye|goodbye|exit|quit *",
                { "Good-bye. What we said is kept: you find it again with 'conductor list'." } },
        { 50, "* sorry|apologise|apologize *",
                { "There is nothing to be sorry for.",
                        "What makes you feel that you should "
                        "apologise?" } },
        { 20, "yes|yeah|sure|ok|okay|right",
                { "You seem certain. Why?", "Then go on from there.",
                        "I see. And what follows?" } },
        { 20, "no|nope|never",
                { "Why not?", "You say no rather quickly. What would it take to say yes?",
                        "Is that a no for ever, or for now?" } },
        { 20, "maybe|perhaps *",
                { "What would make you certain?", "And if it were so, what then?" } },

        /* questions that ask for knowledge */
        { 45, "* capital of *",
                { "Facts are not my trade: " NOT_A_MODEL ", so I cannot tell you the capital of "
                  "$2. " GET_A_MODEL } },
        { 45, "* write|explain|translate|summarise|summarize|calculate|solve|fix *",
                { "That is work for a language model, and I am none. " GET_A_MODEL
                  " Until then: what is it for?",
                        "I cannot do that, for I only turn words round. " GET_A_MODEL
                        " What makes it matter now?" } },
        { 30, "what is|are *",
                { "What would you like $1 to be?", "What comes to your mind when you think of $1?",
                        "I know only what you tell me. What do you know of $1?" } },
        { 30, "who is|was *", { "Who is $1 to you?", "What do you know of $1?" } },
        { 30, "how do|can|should|could i *",
                { "What have you tried so far, to $1?",
                        "Suppose that you could $1: what would "
                        "change?",
                        "Who do you know that can $1?" } },
        { 30, "should i *",
                { "What speaks for it, that you $1?", "And if you do not $1, what happens?" } },
        { 25, "why do|did not|you *", { "Do you believe that I know why?" } },
        { 25, "why *",
                { "What reasons come to your mind?", "Does any reason convince you?",
                        "Why do you ask just now?" } },
        { 15, "what|how|when|where|which|who *",
                { "Why do you ask?", "What answer would please you most?",
                        "What have others told you about that?",
                        "I know only what you tell me. " GET_A_MODEL } },

        /* what weighs on people */
        { 70, "* kill|suicide|suicidal *",
                { "That is serious, and I am only a small program. Please talk to a person now: "
                  "someone you trust, or a crisis line in your country." } },
        { 65, "* computer|computers|machine|machines|program|programs *",
                { "Do machines worry you?",
                        "What do you think that machines have to do with "
                        "you?",
                        "Why do you mention machines to one?" } },
        { 55, "* dreamt|dreamed *",
                { "What does that dream say to you?",
                        "Have you dreamt that while you were "
                        "awake?" } },
        { 55, "* dream|dreams *", { "What do your dreams tell you?", "Who appears in them?" } },
        { 55, "* mother|father|mum|mom|dad|sister|brother|wife|husband|son|daughter|parents *",
                { "Tell me more about your family.", "Who else in your family is like that?",
                        "What else comes to your mind when you think of them?" } },
        { 50, "* i remember *",
                { "Do you often think of $2?", "What else does $2 bring back?",
                        "Why do you remember $2 just now?" } },
        { 50, "* do you remember *", { "Did you think that I would forget $2?" } },
        { 45, "* if *",
                { "Do you think it likely that $2?", "What would you do if $2?",
                        "Do you wish that $2?" } },
        { 42, "* always|everybody|everyone|nobody|all the time *",
                { "Can you think of one example?", "Really without exception?",
                        "When did it last happen?" } },
        { 42, "* like|alike|same *", { "In what way?", "What resemblance do you see?" } },
        { 42, "* because *",
                { "Is that the real reason?", "What other reasons could there be?",
                        "Does $2 explain anything else?" } },

        /* I … */
        { 57, "* i am|was * sad|unhappy|depressed|tired|sick|afraid|lonely|angry|ill *",
                { "I am sorry to hear that. How long has it been so?",
                        "What would have to change, for that to pass?",
                        "What happened before it began?" } },
        { 57, "* i'm * sad|unhappy|depressed|tired|sick|afraid|lonely|angry|ill *",
                { "I am sorry to hear that. How long has it been so?",
                        "What would have to change, for that to pass?" } },
        { 56, "* i am|was * happy|glad|better|well|fine *",
                { "I am glad. What brought it about?", "What could make it last?" } },
        { 48, "* i need|want *",
                { "What would it mean to you to have $2?", "Why do you want $2?",
                        "Suppose that you had $2 tomorrow: what then?" } },
        { 46, "* i can't|cannot *",
                { "How do you know that you cannot $2?", "What keeps you from it?",
                        "Have you really tried to $2?" } },
        { 46, "* i don't|do not *", { "Why not?", "Do you wish that you did?" } },
        { 44, "* i feel *",
                { "Do you often feel $2?", "When did you begin to feel $2?",
                        "What do you do when you feel $2?" } },
        { 44, "* i think|believe|suppose *",
                { "Are you sure that $2?", "What makes you think so?",
                        "What if it were otherwise?" } },
        { 43, "* i am *",
                { "How long have you been $2?", "Do you like being $2?",
                        "What does it mean to you to be $2?" } },
        { 43, "* i'm *", { "How long have you been $2?", "What does it mean to you to be $2?" } },
        { 38, "* i have|had *", { "Since when have you had $2?", "What do you do with $2?" } },
        { 35, "* i *",
                { "You say that you $2?", "What leads you to say so?", "And how did that feel?" } },

        /* you … */
        { 48, "* can you *",
                { "Would you like me to be able to $2?", "Perhaps you would like to $2 yourself.",
                        "I can do little but listen. " GET_A_MODEL } },
        { 43, "* you are|were *",
                { "What makes you think that I am $2?", "Does it please you that I might be $2?",
                        "Perhaps you would like to be $2 yourself." } },
        { 37, "* you * me *", { "What makes you think that I $2 you?" } },
        { 33, "* you *",
                { "We were speaking of you, not of me.", "And you, yourself?",
                        "Are we talking about me, really?" } },

        /* my … */
        { 36, "* my *",
                { "Tell me more about your $2.", "What does it mean to you, your $2?",
                        "Why do you say: your $2?" } },
        { 0, NULL, { NULL } },
};

const char *const doctor_fallbacks[] = {
        "Please go on.",
        "Tell me more about that.",
        "What does that suggest to you?",
        "I am not sure that I follow. Say it in other words?",
        "Does talking about this matter to you?",
        "And how do you feel about that?",
        "That is interesting. What came before it?",
        NULL,
};

const char *const doctor_memories[] = {
        "Earlier it was: your $1. Does this have to do with it?",
        "Let us go back a little: your $1. What about that?",
        NULL,
};

const char *const doctor_empty = "You say nothing. Silence can be an answer, too.";
const char *const doctor_file = "You gave me a file, but I cannot read: " NOT_A_MODEL
                                ". What is in it, in your words?";
